/** A browser's RTP that is only described: what JsSIP asks of RTCPeerConnection, without sound. */

/** What the stand-in of a browser's media offers and answers with. */
function description(port: number, profile: string): string {
  const lines = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0'];
  return [...lines, `m=audio ${port} ${profile} 0 8 101`, 'a=rtpmap:101 telephone-event/8000', 'a=sendrecv', ''].join(
    '\r\n',
  );
}

/** Just enough of RTCPeerConnection for JsSIP: it has gathered all there is, and believes what it is told. */
export class DescribedPeer {
  static profile = 'RTP/AVP';
  static port = 45_000;
  readonly iceGatheringState = 'complete';
  iceConnectionState = 'new';
  signalingState = 'stable';
  localDescription: { type: string; sdp: string } | undefined;
  remoteDescription: { type: string; sdp: string } | undefined;
  readonly #port = DescribedPeer.port++;
  readonly #profile = DescribedPeer.profile;
  addEventListener(): void {}
  removeEventListener(): void {}
  addTrack(): void {}
  getSenders(): [] {
    return [];
  }
  close(): void {
    this.signalingState = 'closed';
  }
  async createOffer() {
    return { type: 'offer', sdp: description(this.#port, this.#profile) };
  }
  async createAnswer() {
    return { type: 'answer', sdp: description(this.#port, this.#profile) };
  }
  async setLocalDescription(local: { type: string; sdp: string }) {
    this.localDescription = local;
    this.signalingState = local.type === 'offer' ? 'have-local-offer' : 'stable';
  }
  async setRemoteDescription(remote: { type: string; sdp: string }) {
    this.remoteDescription = remote;
    this.signalingState = remote.type === 'offer' ? 'have-remote-offer' : 'stable';
  }
}
