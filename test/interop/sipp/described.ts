/** The body of a SIPp message with a session description of one stream, whose lines are `stream`; `version` is that of its origin. */
export const described = (version: number, stream: string): string => `Content-Type: application/sdp
Content-Length: [len]

v=0
o=user1 1 ${version} IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
${stream}
`;

/** The lines of a G.711 stream. */
export const audio = (direction = 'sendrecv'): string =>
  `m=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=${direction}`;
