/** Generated from the verb table by `hearthline docs`; never edited by hand. */

/** Operations of the open API by verb. */
export interface Verbs {
  /** Lists the homes that the credential may see. Scope homes:read. */
  'home.list': {
    request: {
      limit?: number;
      after?: string;
    };
    reply: {
      items: {
        id: string;
        name: string;
        createdAt: number;
      }[];
      next?: string;
    };
  };
  /** Shows one home. Scope homes:read. */
  'home.get': {
    request: {
      home: string;
    };
    reply: {
      id: string;
      name: string;
      createdAt: number;
    };
  };
  /** Gives a home a line: a number with SIP credentials. The password is shown this once. Scope lines:write. */
  'line.create': {
    request: {
      home: string;
      number?: string;
      name?: string;
      class?: 'standard' | 'unmetered';
      kind?: 'phone' | 'appliance';
    };
    reply: {
      id: string;
      home: string;
      number: string;
      name?: string;
      class: 'standard' | 'unmetered';
      kind: 'phone' | 'appliance';
      sip: {
        username: string;
        password?: string;
        domain: string;
      };
      registered: boolean;
    };
  };
  /** Lists a home’s lines and whether a phone is registered on each. Scope lines:read. */
  'line.list': {
    request: {
      home: string;
      limit?: number;
      after?: string;
    };
    reply: {
      items: {
        id: string;
        home: string;
        number: string;
        name?: string;
        class: 'standard' | 'unmetered';
        kind: 'phone' | 'appliance';
        sip: {
          username: string;
          password?: string;
          domain: string;
        };
        registered: boolean;
      }[];
      next?: string;
    };
  };
  /** Takes a line away; its calls go on, its phones are refused from now on. Scope lines:write. */
  'line.remove': {
    request: {
      home: string;
      line: string;
    };
    reply: Record<string, unknown>;
  };
  /** Pairs the gateway that shows this code with a home. A QR also proves the gateway’s key. Scope gateways:write. */
  'gateway.claim': {
    request: {
      home: string;
      code: string;
      key?: string;
    };
    reply: {
      id: string;
      home: string;
      state: 'waiting' | 'pairing' | 'paired' | 'failed';
      stage?: 'claimed' | 'certificate' | 'reconnecting' | 'configuring' | 'done';
      cause?: string;
      online: boolean;
      seenAt?: number;
      awayBecause?: string;
      profile?: 'residential-gateway' | 'personal-computer' | 'ip-appliance';
      version?: string;
      pairedAt?: number;
      checkWords?: string;
    };
  };
  /** Lists a home’s gateways. Scope gateways:read. */
  'gateway.list': {
    request: {
      home: string;
      limit?: number;
      after?: string;
    };
    reply: {
      items: {
        id: string;
        home: string;
        state: 'waiting' | 'pairing' | 'paired' | 'failed';
        stage?: 'claimed' | 'certificate' | 'reconnecting' | 'configuring' | 'done';
        cause?: string;
        online: boolean;
        seenAt?: number;
        awayBecause?: string;
        profile?: 'residential-gateway' | 'personal-computer' | 'ip-appliance';
        version?: string;
        pairedAt?: number;
        checkWords?: string;
      }[];
      next?: string;
    };
  };
  /** Shows a gateway and how far its pairing is. Scope gateways:read. */
  'gateway.get': {
    request: {
      home: string;
      gateway: string;
    };
    reply: {
      id: string;
      home: string;
      state: 'waiting' | 'pairing' | 'paired' | 'failed';
      stage?: 'claimed' | 'certificate' | 'reconnecting' | 'configuring' | 'done';
      cause?: string;
      online: boolean;
      seenAt?: number;
      awayBecause?: string;
      profile?: 'residential-gateway' | 'personal-computer' | 'ip-appliance';
      version?: string;
      pairedAt?: number;
      checkWords?: string;
    };
  };
  /** Unpairs a gateway: its certificate is refused from now on and its connection is cut. Scope gateways:write. */
  'gateway.remove': {
    request: {
      home: string;
      gateway: string;
    };
    reply: Record<string, unknown>;
  };
  /** Makes a claim for one new gateway of a home, to be put on its card. Its text is shown this once. Scope gateways:write. */
  'claim.create': {
    request: {
      home: string;
      name?: string;
      lifetime?: number;
    };
    reply: {
      id: string;
      home: string;
      name?: string;
      state: 'open' | 'used' | 'expired';
      createdAt: number;
      expiresAt: number;
      gateway?: string;
      usedAt?: number;
      claim?: string;
    };
  };
  /** Lists a home’s claims, without their texts. Scope gateways:read. */
  'claim.list': {
    request: {
      home: string;
      limit?: number;
      after?: string;
    };
    reply: {
      items: {
        id: string;
        home: string;
        name?: string;
        state: 'open' | 'used' | 'expired';
        createdAt: number;
        expiresAt: number;
        gateway?: string;
        usedAt?: number;
        claim?: string;
      }[];
      next?: string;
    };
  };
  /** Takes a claim away: it pairs nothing from now on. A gateway that it has paired stays paired. Scope gateways:write. */
  'claim.remove': {
    request: {
      home: string;
      claim: string;
    };
    reply: Record<string, unknown>;
  };
  /** Calls two parties and joins them: `from` rings first (30 s), then `to`. Scope calls:write. */
  'call.create': {
    request: {
      from: string;
      to: string;
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
    };
  };
  /** Opens a conference channel to every participant; with `media` also a media channel to every home (or one into the room). Scope conferences:write. */
  'conference.create': {
    request: {
      participants: string[];
      media?: string | {
        item: string;
        to: 'homes' | 'room';
        sinks?: string[];
      };
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
    };
  };
  /** Media on demand: opens a channel from the media server to a phone of a home and plays an item. Scope media:write. */
  'media.play': {
    request: {
      to: string;
      item: string;
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
    };
  };
  /** Lists sessions, newest first. Scope sessions:read. */
  'session.list': {
    request: {
      limit?: number;
      after?: string;
      live?: boolean;
      home?: string;
    };
    reply: {
      items: {
        id: string;
        kind: 'call' | 'media' | 'conference' | 'conference-with-media' | 'house-call';
        state: 'created' | 'active' | 'ending' | 'ended';
        reason?: string;
        createdAt: number;
        endedAt?: number;
        legs: {
          id: string;
          home?: string;
          kind: 'voice' | 'media' | 'message' | 'still' | 'qos' | 'device';
          orientation: 'voice' | 'non-voice';
          server: string;
          why: string;
          party?: string;
          role: string;
          state: 'planned' | 'reserved' | 'starting' | 'ringing' | 'up' | 'ended';
          reason?: string;
          callId?: string;
          item?: string;
          dscp?: string;
          muted?: boolean;
          held?: boolean;
          startedAt?: number;
          answeredAt?: number;
          endedAt?: number;
        }[];
        request: unknown;
        instructions: {
          at: number;
          verb: string;
          server: string;
          leg?: string;
          callId?: string;
        }[];
      }[];
      next?: string;
    };
  };
  /** Shows a session, its legs and what the softswitch was told. Scope sessions:read. */
  'session.get': {
    request: {
      session: string;
    };
    reply: {
      id: string;
      kind: 'call' | 'media' | 'conference' | 'conference-with-media' | 'house-call';
      state: 'created' | 'active' | 'ending' | 'ended';
      reason?: string;
      createdAt: number;
      endedAt?: number;
      legs: {
        id: string;
        home?: string;
        kind: 'voice' | 'media' | 'message' | 'still' | 'qos' | 'device';
        orientation: 'voice' | 'non-voice';
        server: string;
        why: string;
        party?: string;
        role: string;
        state: 'planned' | 'reserved' | 'starting' | 'ringing' | 'up' | 'ended';
        reason?: string;
        callId?: string;
        item?: string;
        dscp?: string;
        muted?: boolean;
        held?: boolean;
        startedAt?: number;
        answeredAt?: number;
        endedAt?: number;
      }[];
      request: unknown;
      instructions: {
        at: number;
        verb: string;
        server: string;
        leg?: string;
        callId?: string;
      }[];
    };
  };
  /** Ends a session and all its legs; a guest, who did not begin it, leaves it with its own. Scope sessions:write. */
  'session.end': {
    request: {
      session: string;
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
    };
  };
  /** Adds a leg to a living session: a party (voice), an item for a party or the room (media), a device to list or wake (device), or a text (message) or a picture (still) for a party or all others. Scope sessions:write. */
  'leg.add': {
    request: {
      session: string;
      kind: 'voice' | 'media' | 'device' | 'message' | 'still';
      party?: string;
      item?: string;
      home?: string;
      device?: string;
      action?: 'list' | 'wake';
      text?: string;
    };
    reply: {
      leg: {
        id: string;
        home?: string;
        kind: 'voice' | 'media' | 'message' | 'still' | 'qos' | 'device';
        orientation: 'voice' | 'non-voice';
        server: string;
        why: string;
        party?: string;
        role: string;
        state: 'planned' | 'reserved' | 'starting' | 'ringing' | 'up' | 'ended';
        reason?: string;
        callId?: string;
        item?: string;
        dscp?: string;
        muted?: boolean;
        held?: boolean;
        startedAt?: number;
        answeredAt?: number;
        endedAt?: number;
      };
      result?: unknown;
    };
  };
  /** Ends one leg; the others go on. Who did not begin the session ends only legs of the own home. Scope sessions:write. */
  'leg.remove': {
    request: {
      session: string;
      leg: string;
    };
    reply: Record<string, unknown>;
  };
  /** Answers the call that waits for an application; it is then a leg whose sound the application gives. Scope calls:write. */
  'call.answer': {
    request: {
      session: string;
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
    };
  };
  /** Plays an item, a recording or a tone to one leg, or to all; with `queue` once what plays has ended. Scope calls:write. */
  'call.play': {
    request: {
      session: string;
      leg?: string;
      item?: string;
      tone?: 'ringback' | 'busy' | 'dial';
      loop?: boolean;
      gain?: number;
      mode?: 'now' | 'queue';
    };
    reply: {
      id: string;
      state: 'queued' | 'running' | 'done';
      recording?: string;
    };
  };
  /** Collects digits of a leg (telephone events or SIP INFO) up to `max`, the finish key or a pause; a prompt is cut short by the first digit. Scope calls:write. */
  'call.gather': {
    request: {
      session: string;
      leg: string;
      min?: number;
      max?: number;
      finish?: string;
      first?: number;
      between?: number;
      prompt?: string;
      interrupt?: boolean;
      mode?: 'now' | 'queue';
    };
    reply: {
      id: string;
      state: 'queued' | 'running' | 'done';
      recording?: string;
    };
  };
  /** Records one leg, or all of them mixed, as a WAV file until it is stopped, `seconds` are over or the call ends. Scope calls:write. */
  'call.record': {
    request: {
      session: string;
      leg?: string;
      seconds?: number;
    };
    reply: {
      id: string;
      state: 'queued' | 'running' | 'done';
      recording?: string;
    };
  };
  /** Stops a command that plays, gathers or records; harmless when it is done. Scope calls:write. */
  'call.stop': {
    request: {
      session: string;
      command: string;
    };
    reply: {
      id: string;
      verb: 'call.play' | 'call.gather' | 'call.record';
      legs: string[];
      state: 'queued' | 'running' | 'done';
      result?: string;
      digits?: string;
      recording?: string;
      startedAt: number;
      endedAt?: number;
    };
  };
  /** The commands of a call with what came of them, newest last. Scope calls:read. */
  'call.commands': {
    request: {
      session: string;
    };
    reply: {
      items: {
        id: string;
        verb: 'call.play' | 'call.gather' | 'call.record';
        legs: string[];
        state: 'queued' | 'running' | 'done';
        result?: string;
        digits?: string;
        recording?: string;
        startedAt: number;
        endedAt?: number;
      }[];
      next?: string;
    };
  };
  /** Sends digits to the phone of a leg as telephone events (RFC 4733). Scope calls:write. */
  'call.dtmf': {
    request: {
      session: string;
      leg: string;
      digits: string;
    };
    reply: Record<string, unknown>;
  };
  /** Puts a leg on hold: it hears music and is heard by nobody. Scope calls:write. */
  'call.hold': {
    request: {
      session: string;
      leg: string;
      item?: string;
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
    };
  };
  /** Takes a leg back from hold; harmless when it is not held. Scope calls:write. */
  'call.unhold': {
    request: {
      session: string;
      leg: string;
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
    };
  };
  /** The leg goes on hearing the others, and they no longer hear it. Scope calls:write. */
  'call.mute': {
    request: {
      session: string;
      leg: string;
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
    };
  };
  /** The others hear the leg again; harmless when it is not muted. Scope calls:write. */
  'call.unmute': {
    request: {
      session: string;
      leg: string;
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
    };
  };
  /** Replaces the party of a leg by another one: the rest hears ringing until it answers, and has the old party back when it does not. With `with` the far party of another call takes its place at once (attended). Scope calls:write. */
  'call.transfer': {
    request: {
      session: string;
      leg: string;
      to?: string;
      with?: {
        session: string;
        leg: string;
      };
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
      leg: string;
    };
  };
  /** Hangs up one leg, or with none named the whole call. Scope calls:write. */
  'call.hangup': {
    request: {
      session: string;
      leg?: string;
    };
    reply: {
      id: string;
      state: 'created' | 'active' | 'ending' | 'ended';
    };
  };
  /** Lists recordings, newest first. Scope recordings:read. */
  'recording.list': {
    request: {
      limit?: number;
      after?: string;
      home?: string;
      session?: string;
    };
    reply: {
      items: {
        id: string;
        session: string;
        home?: string;
        state: 'recording' | 'ready' | 'failed';
        startedAt: number;
        endedAt?: number;
        seconds?: number;
        octets?: number;
      }[];
      next?: string;
    };
  };
  /** Shows a recording. Scope recordings:read. */
  'recording.get': {
    request: {
      recording: string;
    };
    reply: {
      id: string;
      session: string;
      home?: string;
      state: 'recording' | 'ready' | 'failed';
      startedAt: number;
      endedAt?: number;
      seconds?: number;
      octets?: number;
    };
  };
  /** A part of a recording’s WAV file (8 kHz mono, G.711 mu-law), base64; `next` is the offset of the following part. Scope recordings:read. */
  'recording.audio': {
    request: {
      recording: string;
      offset?: number;
    };
    reply: {
      type: 'audio/wav';
      total: number;
      data: string;
      next?: number;
    };
  };
  /** Deletes a recording and its file. Scope recordings:write. */
  'recording.delete': {
    request: {
      recording: string;
    };
    reply: Record<string, unknown>;
  };
  /** Gives calls to an application: what phones of the home dial (a short code or number), or with a number of the home, what is called there. Scope calls:write. */
  'call-route.create': {
    request: {
      home: string;
      match: string;
      application: string;
    };
    reply: {
      id: string;
      home: string;
      match: string;
      application: string;
      createdAt: number;
    };
  };
  /** Lists the numbers of a home that applications answer. Scope calls:read. */
  'call-route.list': {
    request: {
      home: string;
    };
    reply: {
      items: {
        id: string;
        home: string;
        match: string;
        application: string;
        createdAt: number;
      }[];
      next?: string;
    };
  };
  /** Takes a number from an application. Scope calls:write. */
  'call-route.delete': {
    request: {
      home: string;
      route: string;
    };
    reply: Record<string, unknown>;
  };
  /** Shows the features of a line. Scope lines:read. */
  'line.features.get': {
    request: {
      home: string;
      line: string;
    };
    reply: {
      hideNumber?: boolean;
      doNotDisturb?: boolean;
      rejectAnonymous?: boolean;
      noWaiting?: boolean;
      noHoldMusic?: boolean;
      forward?: {
        always?: string;
        busy?: string;
        noAnswer?: string;
        offline?: string;
      };
      noAnswerAfter?: number;
      block?: string[];
      allow?: string[];
      hunt?: string[];
      ringAlso?: string[];
      hotLine?: string;
      hotLineAfter?: number;
      bar?: ('local' | 'national' | 'mobile' | 'international' | 'premium' | 'free')[];
      pin?: string;
      contacts?: {
        number: string;
        name?: string;
        ring?: 'family' | 'friend';
      }[];
      short?: {
        code: string;
        to: string;
      }[];
    };
  };
  /** Sets the features of a line as a whole: what is left out is off. Phones do the same by star codes. Scope lines:write. */
  'line.features.set': {
    request: {
      home: string;
      line: string;
      features: {
        hideNumber?: boolean;
        doNotDisturb?: boolean;
        rejectAnonymous?: boolean;
        noWaiting?: boolean;
        noHoldMusic?: boolean;
        forward?: {
          always?: string;
          busy?: string;
          noAnswer?: string;
          offline?: string;
        };
        noAnswerAfter?: number;
        block?: string[];
        allow?: string[];
        hunt?: string[];
        ringAlso?: string[];
        hotLine?: string;
        hotLineAfter?: number;
        bar?: ('local' | 'national' | 'mobile' | 'international' | 'premium' | 'free')[];
        pin?: string;
        contacts?: {
          number: string;
          name?: string;
          ring?: 'family' | 'friend';
        }[];
        short?: {
          code: string;
          to: string;
        }[];
      };
    };
    reply: {
      hideNumber?: boolean;
      doNotDisturb?: boolean;
      rejectAnonymous?: boolean;
      noWaiting?: boolean;
      noHoldMusic?: boolean;
      forward?: {
        always?: string;
        busy?: string;
        noAnswer?: string;
        offline?: string;
      };
      noAnswerAfter?: number;
      block?: string[];
      allow?: string[];
      hunt?: string[];
      ringAlso?: string[];
      hotLine?: string;
      hotLineAfter?: number;
      bar?: ('local' | 'national' | 'mobile' | 'international' | 'premium' | 'free')[];
      pin?: string;
      contacts?: {
        number: string;
        name?: string;
        ring?: 'family' | 'friend';
      }[];
      short?: {
        code: string;
        to: string;
      }[];
    };
  };
  /** Shows where a home is, as emergency calls say it. Scope homes:read. */
  'home.location.get': {
    request: {
      home: string;
    };
    reply: {
      country: string;
      region?: string;
      city?: string;
      postalCode?: string;
      street?: string;
      houseNumber?: string;
      unit?: string;
      floor?: string;
      place?: string;
      latitude?: number;
      longitude?: number;
    };
  };
  /** Says where a home is. Emergency calls from it carry this. Scope homes:write. */
  'home.location.set': {
    request: {
      home: string;
      location: {
        country: string;
        region?: string;
        city?: string;
        postalCode?: string;
        street?: string;
        houseNumber?: string;
        unit?: string;
        floor?: string;
        place?: string;
        latitude?: number;
        longitude?: number;
      };
    };
    reply: {
      country: string;
      region?: string;
      city?: string;
      postalCode?: string;
      street?: string;
      houseNumber?: string;
      unit?: string;
      floor?: string;
      place?: string;
      latitude?: number;
      longitude?: number;
    };
  };
  /** Lists the items of the media library. Scope media:read. */
  'media.list': {
    request: Record<string, unknown>;
    reply: {
      items: {
        id: string;
        title: string;
        seconds: number;
        short: string;
      }[];
      next?: string;
    };
  };
  /** How a leg sounds: packets, jitter and round trip (ms), and a mean opinion score estimated from them by the E-model (G.107). Scope sessions:read. */
  'media.quality': {
    request: {
      session: string;
      leg: string;
    };
    reply: {
      sent: number;
      received: number;
      lost: number;
      refused: number;
      jitter: number;
      roundTrip?: number;
      estimate: number;
      remoteEstimate?: number;
    };
  };
  /** Mutes or unmutes a participant: it goes on hearing the others. Scope conferences:write. */
  'conference.mute': {
    request: {
      session: string;
      leg: string;
      muted: boolean;
    };
    reply: Record<string, unknown>;
  };
  /** Who is in the room. Scope conferences:read. */
  'conference.roster': {
    request: {
      session: string;
    };
    reply: {
      items: {
        leg: string;
        name: string;
        muted: boolean;
        kind: 'voice' | 'media';
      }[];
    };
  };
  /** Lists the quality profiles with their figures, and with `home` what that home’s line can give now. Scope qos:read. */
  'qos.profile.list': {
    request: {
      home?: string;
    };
    reply: {
      items: {
        name: string;
        about: string;
        serviceClass: string;
        dscp: number;
        kbits: number;
        delayMs: number;
        jitterMs: number;
        lossPer10000: number;
        minDuration: number;
        maxDuration: number;
        freeKbits?: number;
        sessionsNow?: number;
      }[];
    };
  };
  /** Asks for a profile on a home’s line for some seconds (CAMARA quality-on-demand): its bit rate is held, or the session says why not. Scope qos:write. */
  'qos.session.create': {
    request: {
      home: string;
      profile: string;
      duration: number;
      device?: string;
    };
    reply: {
      id: string;
      home: string;
      device?: string;
      profile: string;
      state: 'REQUESTED' | 'AVAILABLE' | 'UNAVAILABLE';
      statusInfo?: 'DURATION_EXPIRED' | 'NETWORK_TERMINATED' | 'DELETE_REQUESTED';
      why?: string;
      duration: number;
      kbits: number;
      startedAt?: number;
      expiresAt?: number;
    };
  };
  /** Lists quality-on-demand sessions; ended ones for an hour. Scope qos:read. */
  'qos.session.list': {
    request: {
      limit?: number;
      after?: string;
      home?: string;
    };
    reply: {
      items: {
        id: string;
        home: string;
        device?: string;
        profile: string;
        state: 'REQUESTED' | 'AVAILABLE' | 'UNAVAILABLE';
        statusInfo?: 'DURATION_EXPIRED' | 'NETWORK_TERMINATED' | 'DELETE_REQUESTED';
        why?: string;
        duration: number;
        kbits: number;
        startedAt?: number;
        expiresAt?: number;
      }[];
      next?: string;
    };
  };
  /** Shows a quality-on-demand session. Scope qos:read. */
  'qos.session.get': {
    request: {
      qos: string;
    };
    reply: {
      id: string;
      home: string;
      device?: string;
      profile: string;
      state: 'REQUESTED' | 'AVAILABLE' | 'UNAVAILABLE';
      statusInfo?: 'DURATION_EXPIRED' | 'NETWORK_TERMINATED' | 'DELETE_REQUESTED';
      why?: string;
      duration: number;
      kbits: number;
      startedAt?: number;
      expiresAt?: number;
    };
  };
  /** Lets an available session last some seconds longer. Scope qos:write. */
  'qos.session.extend': {
    request: {
      qos: string;
      seconds: number;
    };
    reply: {
      id: string;
      home: string;
      device?: string;
      profile: string;
      state: 'REQUESTED' | 'AVAILABLE' | 'UNAVAILABLE';
      statusInfo?: 'DURATION_EXPIRED' | 'NETWORK_TERMINATED' | 'DELETE_REQUESTED';
      why?: string;
      duration: number;
      kbits: number;
      startedAt?: number;
      expiresAt?: number;
    };
  };
  /** Ends a quality-on-demand session and gives its bit rate back. Scope qos:write. */
  'qos.session.delete': {
    request: {
      qos: string;
    };
    reply: Record<string, unknown>;
  };
  /** Lists call detail records, newest first; one per leg, unanswered ones too. Scope cdrs:read. */
  'cdr.list': {
    request: {
      limit?: number;
      after?: string;
      session?: string;
      home?: string;
    };
    reply: {
      items: {
        id: string;
        session: string;
        leg: string;
        home?: string;
        from: string;
        to: string;
        start: number;
        answer?: number;
        end: number;
        seconds: number;
        reason: string;
        price: number;
        verstat?: 'TN-Validation-Passed' | 'TN-Validation-Failed' | 'No-TN-Validation';
      }[];
      next?: string;
    };
  };
  /** A home’s balance, what of it is reserved, and how it pays. Scope billing:read. */
  'balance.get': {
    request: {
      home: string;
    };
    reply: {
      home: string;
      mode: 'prepaid' | 'postpaid';
      balance: number;
      reserved: number;
    };
  };
  /** Sends a message from a line to a party or a group; it waits for phones that are off until it expires. Scope messages:write. */
  'message.send': {
    request: {
      from: string;
      to?: string;
      group?: string;
      text?: string;
      contentType?: string;
      body?: string;
      expiresIn?: number;
      receipts?: boolean;
    };
    reply: {
      id: string;
      from: {
        party: string;
        line?: string;
        home?: string;
      };
      to: string;
      group?: string;
      session?: string;
      leg?: string;
      contentType: string;
      text: string;
      state: 'accepted' | 'delivered' | 'read' | 'expired' | 'failed';
      createdAt: number;
      expiresAt: number;
      receipts: boolean;
      recipients: {
        party: string;
        line?: string;
        home?: string;
        state: 'waiting' | 'delivered' | 'read' | 'expired' | 'failed';
        reason?: string;
        deliveredAt?: number;
        readAt?: number;
        devices: number;
      }[];
    };
  };
  /** Lists messages, newest first: of a home, of one of its lines, or of a session. Scope messages:read. */
  'message.list': {
    request: {
      limit?: number;
      after?: string;
      home?: string;
      line?: string;
      session?: string;
    };
    reply: {
      items: {
        id: string;
        from: {
          party: string;
          line?: string;
          home?: string;
        };
        to: string;
        group?: string;
        session?: string;
        leg?: string;
        contentType: string;
        text: string;
        state: 'accepted' | 'delivered' | 'read' | 'expired' | 'failed';
        createdAt: number;
        expiresAt: number;
        receipts: boolean;
        recipients: {
          party: string;
          line?: string;
          home?: string;
          state: 'waiting' | 'delivered' | 'read' | 'expired' | 'failed';
          reason?: string;
          deliveredAt?: number;
          readAt?: number;
          devices: number;
        }[];
      }[];
      next?: string;
    };
  };
  /** Shows a message and what became of it for every recipient. Scope messages:read. */
  'message.get': {
    request: {
      message: string;
    };
    reply: {
      id: string;
      from: {
        party: string;
        line?: string;
        home?: string;
      };
      to: string;
      group?: string;
      session?: string;
      leg?: string;
      contentType: string;
      text: string;
      state: 'accepted' | 'delivered' | 'read' | 'expired' | 'failed';
      createdAt: number;
      expiresAt: number;
      receipts: boolean;
      recipients: {
        party: string;
        line?: string;
        home?: string;
        state: 'waiting' | 'delivered' | 'read' | 'expired' | 'failed';
        reason?: string;
        deliveredAt?: number;
        readAt?: number;
        devices: number;
      }[];
    };
  };
  /** Marks a message as read for the recipients of the asker’s homes; a sender that asked for it hears of it. Scope messages:write. */
  'message.read': {
    request: {
      message: string;
    };
    reply: {
      id: string;
      from: {
        party: string;
        line?: string;
        home?: string;
      };
      to: string;
      group?: string;
      session?: string;
      leg?: string;
      contentType: string;
      text: string;
      state: 'accepted' | 'delivered' | 'read' | 'expired' | 'failed';
      createdAt: number;
      expiresAt: number;
      receipts: boolean;
      recipients: {
        party: string;
        line?: string;
        home?: string;
        state: 'waiting' | 'delivered' | 'read' | 'expired' | 'failed';
        reason?: string;
        deliveredAt?: number;
        readAt?: number;
        devices: number;
      }[];
    };
  };
  /** Takes a message out of the lists of the asker’s homes; its delivery to others goes on. Scope messages:write. */
  'message.delete': {
    request: {
      message: string;
    };
    reply: Record<string, unknown>;
  };
  /** Makes a group of parties; a message to it goes to every member but its sender. Scope groups:write. */
  'group.create': {
    request: {
      home: string;
      name: string;
      members: string[];
    };
    reply: {
      id: string;
      home: string;
      name: string;
      members: string[];
      createdAt: number;
    };
  };
  /** Lists the groups of a home, or of all homes that the asker sees. Scope groups:read. */
  'group.list': {
    request: {
      limit?: number;
      after?: string;
      home?: string;
    };
    reply: {
      items: {
        id: string;
        home: string;
        name: string;
        members: string[];
        createdAt: number;
      }[];
      next?: string;
    };
  };
  /** Shows a group. Scope groups:read. */
  'group.get': {
    request: {
      group: string;
    };
    reply: {
      id: string;
      home: string;
      name: string;
      members: string[];
      createdAt: number;
    };
  };
  /** Changes a group’s name or its members. Scope groups:write. */
  'group.update': {
    request: {
      group: string;
      name?: string;
      members?: string[];
    };
    reply: {
      id: string;
      home: string;
      name: string;
      members: string[];
      createdAt: number;
    };
  };
  /** Removes a group; its messages stay. Scope groups:write. */
  'group.delete': {
    request: {
      group: string;
    };
    reply: Record<string, unknown>;
  };
  /** Makes a mailbox for a home, or for one of its lines: that one has the line’s number as its address. Scope mailboxes:write. */
  'mailbox.create': {
    request: {
      home: string;
      line?: string;
      address?: string;
      name?: string;
      notices?: boolean;
    };
    reply: {
      id: string;
      home?: string;
      line?: string;
      kind: 'home' | 'line' | 'application' | 'operator';
      name: string;
      address: string;
      addresses: string[];
      notices: boolean;
      unseen: number;
      used: number;
      quota: number;
      createdAt: number;
      smtp: {
        username: string;
        password: string;
      };
    };
  };
  /** Lists mailboxes. Scope mailboxes:read. */
  'mailbox.list': {
    request: {
      limit?: number;
      after?: string;
      home?: string;
    };
    reply: {
      items: {
        id: string;
        home?: string;
        line?: string;
        kind: 'home' | 'line' | 'application' | 'operator';
        name: string;
        address: string;
        addresses: string[];
        notices: boolean;
        unseen: number;
        used: number;
        quota: number;
        createdAt: number;
      }[];
      next?: string;
    };
  };
  /** A mailbox: its addresses, what it holds, how much room it has. Scope mailboxes:read. */
  'mailbox.get': {
    request: {
      mailbox: string;
    };
    reply: {
      id: string;
      home?: string;
      line?: string;
      kind: 'home' | 'line' | 'application' | 'operator';
      name: string;
      address: string;
      addresses: string[];
      notices: boolean;
      unseen: number;
      used: number;
      quota: number;
      createdAt: number;
    };
  };
  /** Changes a mailbox’s name, or whether it is told of missed calls and waiting messages. Scope mailboxes:write. */
  'mailbox.set': {
    request: {
      mailbox: string;
      name?: string;
      notices?: boolean;
    };
    reply: {
      id: string;
      home?: string;
      line?: string;
      kind: 'home' | 'line' | 'application' | 'operator';
      name: string;
      address: string;
      addresses: string[];
      notices: boolean;
      unseen: number;
      used: number;
      quota: number;
      createdAt: number;
    };
  };
  /** Gives a mailbox a new password for mail programs; the old one ends at once. Scope mailboxes:write. */
  'mailbox.password': {
    request: {
      mailbox: string;
    };
    reply: {
      id: string;
      home?: string;
      line?: string;
      kind: 'home' | 'line' | 'application' | 'operator';
      name: string;
      address: string;
      addresses: string[];
      notices: boolean;
      unseen: number;
      used: number;
      quota: number;
      createdAt: number;
      smtp: {
        username: string;
        password: string;
      };
    };
  };
  /** Lists mails, newest first. Scope mails:read. */
  'mail.list': {
    request: {
      limit?: number;
      after?: string;
      home?: string;
      mailbox?: string;
      folder?: 'inbox' | 'sent';
      unseen?: boolean;
    };
    reply: {
      items: {
        id: string;
        mailbox: string;
        home?: string;
        folder: 'inbox' | 'sent';
        from: string;
        to: string[];
        subject: string;
        at: number;
        size: number;
        seen: boolean;
      }[];
      next?: string;
    };
  };
  /** A mail: its text, its attachments by reference, and what became of it at its recipients. Scope mails:read. */
  'mail.get': {
    request: {
      mail: string;
    };
    reply: {
      id: string;
      mailbox: string;
      home?: string;
      folder: 'inbox' | 'sent';
      from: string;
      to: string[];
      subject: string;
      at: number;
      size: number;
      seen: boolean;
      messageId: string;
      checks?: {
        spf: 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'policy' | 'temperror' | 'permerror';
        dkim: 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'policy' | 'temperror' | 'permerror';
        dmarc: 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'policy' | 'temperror' | 'permerror';
      };
      text: string;
      html?: string;
      cut: boolean;
      attachments: {
        id: string;
        name: string;
        type: string;
        size: number;
      }[];
      recipients: {
        address: string;
        state: 'queued' | 'delivered' | 'bounced';
        detail?: string;
        at: number;
      }[];
    };
  };
  /** An attachment of a mail, in base 64. Scope mails:read. */
  'mail.attachment': {
    request: {
      mail: string;
      attachment: string;
    };
    reply: {
      id: string;
      name: string;
      type: string;
      size: number;
      content: string;
    };
  };
  /** Marks a mail as seen or not. Scope mails:write. */
  'mail.mark': {
    request: {
      mail: string;
      seen: boolean;
    };
    reply: {
      id: string;
      mailbox: string;
      home?: string;
      folder: 'inbox' | 'sent';
      from: string;
      to: string[];
      subject: string;
      at: number;
      size: number;
      seen: boolean;
    };
  };
  /** Deletes a mail; what of it still waits for other domains is sent all the same. Scope mails:write. */
  'mail.delete': {
    request: {
      mail: string;
    };
    reply: Record<string, unknown>;
  };
  /** Sends a mail from a mailbox, or from the first mailbox of a home. Other domains get it by a queue that lasts. Scope mails:write. */
  'mail.send': {
    request: {
      home?: string;
      mailbox?: string;
      to: string[];
      subject: string;
      text: string;
      html?: string;
      attachments?: {
        name: string;
        type: string;
        content: string;
      }[];
    };
    reply: {
      id: string;
      state: 'queued' | 'delivered';
      messageId: string;
    };
  };
  /** Lists the appliances that a home’s gateways see on their LAN. Scope devices:read. */
  'device.list': {
    request: {
      home: string;
      limit?: number;
      after?: string;
    };
    reply: {
      items: {
        id: string;
        name: string;
        kind: string;
        address: string;
        mac?: string;
        found: 'ssdp' | 'mdns' | 'arp';
        wakes: boolean;
        seenAt: number;
        home: string;
        gateway: string;
        present: boolean;
      }[];
      next?: string;
    };
  };
  /** Who and what of a home can be reached: phones registered on its lines, gateways online, devices seen. Scope presence:read. */
  'presence.get': {
    request: {
      home: string;
    };
    reply: {
      home: string;
      at: number;
      lines: {
        id: string;
        number: string;
        name?: string;
        registered: boolean;
      }[];
      gateways: {
        id: string;
        online: boolean;
      }[];
      devices: {
        id: string;
        name: string;
        kind: string;
        present: boolean;
        seenAt: number;
      }[];
    };
  };
  /** Has the home’s gateway send a wake-on-LAN packet to a device. Scope devices:write. */
  'device.wake': {
    request: {
      home: string;
      device: string;
    };
    reply: {
      sent: number;
    };
  };
  /** Presses the button of a device of profile ip-appliance: it calls a number or username by itself. Scope devices:write. */
  'appliance.press': {
    request: {
      home: string;
      gateway: string;
      to: string;
    };
    reply: {
      line: string;
    };
  };
  /** The service servers with their health and load. Scope farm:read. */
  'farm.list': {
    request: Record<string, unknown>;
    reply: {
      items: {
        name: 'softswitch' | 'media' | 'conference' | 'qos' | 'oamp' | 'billing' | 'messaging' | 'email' | 'home-networking';
        state: 'running' | 'degraded' | 'stopped';
        advice?: string;
        load: number;
        legs: number;
      }[];
      next?: string;
    };
  };
  /** Ends this sign-in; its token is refused from now on. Scope self:write. */
  'auth.sign-out': {
    request: Record<string, unknown>;
    reply: Record<string, unknown>;
  };
  /** Who the credential is and which homes it may see. Scope self:read. */
  'auth.self': {
    request: Record<string, unknown>;
    reply: {
      account: string;
      name: string;
      role: string;
      homes: string[];
      allHomes: boolean;
    };
  };
  /** What happened at the homes that the credential sees, as CloudEvents: a page behind `after`, or from now on as server-sent events (Accept: text/event-stream). Scope events:read. */
  'event.list': {
    request: {
      home?: string;
      types?: string[];
      after?: string;
    };
    reply: {
      items: {
        specversion: string;
        id: string;
        source: string;
        type: string;
        subject: string;
        time: string;
        datacontenttype: string;
        home?: string;
        session?: string;
        sequence?: string;
        data: unknown;
      }[];
      next?: string;
      cursor: string;
    };
  };
  /** Has the events of a home posted to a URL, signed by Standard Webhooks; kept and retried for 24 hours, in order within a session. Scope webhooks:write. */
  'webhook.create': {
    request: {
      home?: string;
      url: string;
      types?: string[];
      about?: string;
    };
    reply: {
      id: string;
      home?: string;
      url: string;
      types: string[];
      about?: string;
      state: 'active' | 'paused';
      createdAt: number;
      pending: number;
      dead: number;
      secret?: string;
    };
  };
  /** Lists the webhooks of the homes that the credential sees. Scope webhooks:read. */
  'webhook.list': {
    request: {
      limit?: number;
      after?: string;
      home?: string;
    };
    reply: {
      items: {
        id: string;
        home?: string;
        url: string;
        types: string[];
        about?: string;
        state: 'active' | 'paused';
        createdAt: number;
        pending: number;
        dead: number;
        secret?: string;
      }[];
      next?: string;
    };
  };
  /** Shows a webhook and how many of its deliveries wait. Scope webhooks:read. */
  'webhook.get': {
    request: {
      webhook: string;
    };
    reply: {
      id: string;
      home?: string;
      url: string;
      types: string[];
      about?: string;
      state: 'active' | 'paused';
      createdAt: number;
      pending: number;
      dead: number;
      secret?: string;
    };
  };
  /** Changes a webhook’s URL, types or words, or pauses it; what waits is kept. Scope webhooks:write. */
  'webhook.update': {
    request: {
      webhook: string;
      url?: string;
      types?: string[];
      about?: string;
      state?: 'active' | 'paused';
    };
    reply: {
      id: string;
      home?: string;
      url: string;
      types: string[];
      about?: string;
      state: 'active' | 'paused';
      createdAt: number;
      pending: number;
      dead: number;
      secret?: string;
    };
  };
  /** Removes a webhook and its deliveries. Scope webhooks:write. */
  'webhook.delete': {
    request: {
      webhook: string;
    };
    reply: Record<string, unknown>;
  };
  /** Queues one event of type home.webhook.v1.test for a webhook; look at its deliveries. Scope webhooks:write. */
  'webhook.test': {
    request: {
      webhook: string;
    };
    reply: {
      id: string;
      webhook: string;
      event: string;
      type: string;
      state: 'pending' | 'delivered' | 'dead';
      attempts: number;
      createdAt: number;
      nextAt?: number;
      doneAt?: number;
      status?: number;
      error?: string;
    };
  };
  /** Lists a webhook’s deliveries, newest first. Scope webhooks:read. */
  'delivery.list': {
    request: {
      webhook: string;
      limit?: number;
      after?: string;
      state?: 'pending' | 'delivered' | 'dead';
    };
    reply: {
      items: {
        id: string;
        webhook: string;
        event: string;
        type: string;
        state: 'pending' | 'delivered' | 'dead';
        attempts: number;
        createdAt: number;
        nextAt?: number;
        doneAt?: number;
        status?: number;
        error?: string;
      }[];
      next?: string;
    };
  };
  /** Sends a delivery again, with the same webhook-id, for another 24 hours. Scope webhooks:write. */
  'delivery.replay': {
    request: {
      webhook: string;
      delivery: string;
    };
    reply: {
      id: string;
      webhook: string;
      event: string;
      type: string;
      state: 'pending' | 'delivered' | 'dead';
      attempts: number;
      createdAt: number;
      nextAt?: number;
      doneAt?: number;
      status?: number;
      error?: string;
    };
  };
  /** Makes an API key bound to scopes and homes, never wider than the credential that asks. Shown this once. Scope keys:write. */
  'key.create': {
    request: {
      name: string;
      scopes: string[];
      homes?: string[];
      days?: number;
    };
    reply: {
      id: string;
      name: string;
      scopes: string[];
      homes: string[];
      allHomes: boolean;
      createdAt: number;
      expiresAt?: number;
      token?: string;
    };
  };
  /** Lists your API keys; the keys themselves are not kept. Scope keys:read. */
  'key.list': {
    request: {
      limit?: number;
      after?: string;
    };
    reply: {
      items: {
        id: string;
        name: string;
        scopes: string[];
        homes: string[];
        allHomes: boolean;
        createdAt: number;
        expiresAt?: number;
        token?: string;
      }[];
      next?: string;
    };
  };
  /** Refuses an API key from now on. Scope keys:write. */
  'key.revoke': {
    request: {
      key: string;
    };
    reply: Record<string, unknown>;
  };
  /** Registers an application for OAuth 2. With `confidential` it gets a secret, shown this once. Scope clients:write. */
  'client.create': {
    request: {
      name: string;
      redirects?: string[];
      scopes: string[];
      grants?: ('authorization_code' | 'client_credentials' | 'device_code')[];
      confidential?: boolean;
    };
    reply: {
      id: string;
      name: string;
      redirects: string[];
      scopes: string[];
      grants: string[];
      createdAt: number;
      secret?: string;
    };
  };
  /** Lists the applications that you registered for OAuth 2. Scope clients:read. */
  'client.list': {
    request: {
      limit?: number;
      after?: string;
    };
    reply: {
      items: {
        id: string;
        name: string;
        redirects: string[];
        scopes: string[];
        grants: string[];
        createdAt: number;
        secret?: string;
      }[];
      next?: string;
    };
  };
  /** Removes an application’s registration; every consent and token of it ends at once. Scope clients:write. */
  'client.delete': {
    request: {
      client: string;
    };
    reply: Record<string, unknown>;
  };
  /** Lists which applications and technicians may see your homes. Scope consents:read. */
  'consent.list': {
    request: Record<string, unknown>;
    reply: {
      items: {
        id: string;
        kind: 'application' | 'technician';
        to: string;
        homes: string[];
        scopes: string[];
        at: number;
        until?: number;
      }[];
      next?: string;
    };
  };
  /** Takes a consent back: the application’s tokens and webhooks, or the technician’s view, end at once. Scope consents:write. */
  'consent.revoke': {
    request: {
      consent: string;
    };
    reply: Record<string, unknown>;
  };
  /** Lets a technician see and diagnose a home for some minutes; everything done is in the audit trail. Scope consents:write. */
  'consent.technician.grant': {
    request: {
      home: string;
      account: string;
      minutes: number;
    };
    reply: {
      id: string;
      kind: 'application' | 'technician';
      to: string;
      homes: string[];
      scopes: string[];
      at: number;
      until?: number;
    };
  };
  /** The applications that a home can install, each with what it would be allowed to do. Scope catalogue:read. */
  'catalogue.list': {
    request: {
      limit?: number;
      after?: string;
    };
    reply: {
      items: {
        app: string;
        name: string;
        about: string;
        version: string;
        halves: ('cloud' | 'applet')[];
        rights: {
          key: string;
          words: string;
        }[];
        publishedAt: number;
      }[];
      next?: string;
    };
  };
  /** Installs an application in a home; `consent` names every right that it asks for. Scope installs:write. */
  'install.create': {
    request: {
      home: string;
      app: string;
      version?: string;
      consent: string[];
    };
    reply: {
      id: string;
      home: string;
      app: string;
      name: string;
      version: string;
      consent: string[];
      createdAt: number;
      updatedAt: number;
      applets: {
        gateway: string;
        version: string;
        state: 'installed' | 'verified' | 'running' | 'throttled' | 'crashed' | 'quarantined' | 'stopped' | 'refused' | 'removed';
        why?: string;
        at: number;
      }[];
      mail?: string;
      revoked: string[];
      update?: {
        version: string;
        added: {
          key: string;
          words: string;
        }[];
      };
    };
  };
  /** The applications of a home, with the state of their applets and updates. Scope installs:read. */
  'install.list': {
    request: {
      home: string;
    };
    reply: {
      items: {
        id: string;
        home: string;
        app: string;
        name: string;
        version: string;
        consent: string[];
        createdAt: number;
        updatedAt: number;
        applets: {
          gateway: string;
          version: string;
          state: 'installed' | 'verified' | 'running' | 'throttled' | 'crashed' | 'quarantined' | 'stopped' | 'refused' | 'removed';
          why?: string;
          at: number;
        }[];
        mail?: string;
        revoked: string[];
        update?: {
          version: string;
          added: {
            key: string;
            words: string;
          }[];
        };
      }[];
      next?: string;
    };
  };
  /** One install. Scope installs:read. */
  'install.get': {
    request: {
      install: string;
    };
    reply: {
      id: string;
      home: string;
      app: string;
      name: string;
      version: string;
      consent: string[];
      createdAt: number;
      updatedAt: number;
      applets: {
        gateway: string;
        version: string;
        state: 'installed' | 'verified' | 'running' | 'throttled' | 'crashed' | 'quarantined' | 'stopped' | 'refused' | 'removed';
        why?: string;
        at: number;
      }[];
      mail?: string;
      revoked: string[];
      update?: {
        version: string;
        added: {
          key: string;
          words: string;
        }[];
      };
    };
  };
  /** Moves an install to another version (default: the newest); rights that are new need consent. Scope installs:write. */
  'install.update': {
    request: {
      install: string;
      version?: string;
      consent?: string[];
    };
    reply: {
      id: string;
      home: string;
      app: string;
      name: string;
      version: string;
      consent: string[];
      createdAt: number;
      updatedAt: number;
      applets: {
        gateway: string;
        version: string;
        state: 'installed' | 'verified' | 'running' | 'throttled' | 'crashed' | 'quarantined' | 'stopped' | 'refused' | 'removed';
        why?: string;
        at: number;
      }[];
      mail?: string;
      revoked: string[];
      update?: {
        version: string;
        added: {
          key: string;
          words: string;
        }[];
      };
    };
  };
  /** Removes an application from its home: both halves, their timers and their data. Scope installs:write. */
  'install.remove': {
    request: {
      install: string;
    };
    reply: Record<string, unknown>;
  };
  /** The network service applications that applications compose, with their methods and price per use. Scope services:read. */
  'service.list': {
    request: Record<string, unknown>;
    reply: {
      items: {
        service: string;
        name: string;
        about: string;
        methods: {
          method: string;
          about: string;
        }[];
        price: number;
      }[];
      next?: string;
    };
  };
  /** Uses a network service application for a home; an application’s use is metered and can be withdrawn. Scope services:write. */
  'service.call': {
    request: {
      home: string;
      service: string;
      method: string;
      input?: unknown;
    };
    reply: {
      result: unknown;
    };
  };
  /** Which application used which service for a home, how often, and what it costs. Scope services:read. */
  'service.use.list': {
    request: {
      home: string;
    };
    reply: {
      items: {
        install: string;
        app: string;
        service: string;
        method: string;
        uses: number;
        price: number;
        lastAt: number;
      }[];
      next?: string;
    };
  };
  /** Withdraws a service from an install, or allows it again; it holds from the next use on. Scope installs:write. */
  'service.allow': {
    request: {
      install: string;
      service: string;
      allowed: boolean;
    };
    reply: {
      id: string;
      home: string;
      app: string;
      name: string;
      version: string;
      consent: string[];
      createdAt: number;
      updatedAt: number;
      applets: {
        gateway: string;
        version: string;
        state: 'installed' | 'verified' | 'running' | 'throttled' | 'crashed' | 'quarantined' | 'stopped' | 'refused' | 'removed';
        why?: string;
        at: number;
      }[];
      mail?: string;
      revoked: string[];
      update?: {
        version: string;
        added: {
          key: string;
          words: string;
        }[];
      };
    };
  };
  /** The applets on a gateway: state, starts, CPU, and what they were granted, used and denied. Scope installs:read. */
  'applet.list': {
    request: {
      gateway: string;
    };
    reply: {
      items: unknown[];
    };
  };
  /** One applet of a gateway: what it is granted, how often it used and was denied each function, and its log. Scope installs:read. */
  'applet.explain': {
    request: {
      gateway: string;
      install: string;
    };
    reply: unknown;
  };
  /** The last lines of an applet’s log. Scope installs:read. */
  'applet.logs': {
    request: {
      gateway: string;
      install: string;
    };
    reply: {
      items: {
        at: number;
        level: string;
        text: string;
      }[];
      next?: string;
    };
  };
  /** Stops an applet on a gateway until it is started again (`start`). Scope installs:write. */
  'applet.stop': {
    request: {
      gateway: string;
      install: string;
      start?: boolean;
    };
    reply: Record<string, unknown>;
  };
  /** Puts an applet on a gateway into quarantine. Scope installs:write. */
  'applet.quarantine': {
    request: {
      gateway: string;
      install: string;
    };
    reply: Record<string, unknown>;
  };
  /** How the cloud half of an install fares: state, starts, CPU, what it used and was denied, and its log. Scope installs:read. */
  'install.status': {
    request: {
      install: string;
    };
    reply: {
      install: string;
      version: string;
      state: 'starting' | 'running' | 'throttled' | 'crashed' | 'quarantined' | 'stopped' | 'webhook' | 'none';
      why?: string;
      starts: number;
      cpu: number;
      counted: {
        name: string;
        used: number;
        denied: number;
        failed: number;
      }[];
      logs: {
        at: number;
        level: string;
        text: string;
      }[];
    };
  };
  /** Starts the cloud half of an install anew, also out of quarantine. Scope installs:write. */
  'install.restart': {
    request: {
      install: string;
    };
    reply: Record<string, unknown>;
  };
  /** Shows a session’s SIP messages as the softswitch saw them, secrets masked, while it remembers them. Scope diagnosis:read. */
  'session.trace': {
    request: {
      session: string;
    };
    reply: {
      call: string;
      items: {
        at: number;
        kind: 'in' | 'out' | 'note';
        peer: string;
        summary: string;
        text: string;
      }[];
    };
  };
  /** Asks a gateway for its state on one screen. Scope diagnosis:read. */
  'gateway.status': {
    request: {
      gateway: string;
    };
    reply: {
      gateway: string;
      profile: string;
      version: string;
      at: number;
      uptime: number;
      pairing: string;
      stage?: string;
      home?: string;
      problem?: string;
      cloud: {
        url: string;
        link: string;
        epoch: number;
        since: number;
        offset: number;
        why?: string;
      };
      sip: {
        udp: string;
        tcp: string;
        flow: 'up' | 'down';
        calls: number;
      };
      lines: {
        id: string;
        number: string;
        name?: string;
        kind: 'phone' | 'appliance';
        phones: string[];
        upstream: 'none' | 'asking' | 'held' | 'refused';
      }[];
      documents: Record<string, number>;
      outbox: {
        waiting: number;
        octets: number;
        lost: number;
      };
      addresses: string[];
      devices: number;
      modem?: {
        state: 'closed' | 'starting' | 'ready' | 'silent';
        registration: 'none' | 'home' | 'searching' | 'denied' | 'unknown' | 'roaming' | 'emergency';
        sim: string;
        signal?: number;
        sound: boolean;
        call: boolean;
      };
    };
  };
  /** Runs the checks of a gateway. Scope diagnosis:read. */
  'gateway.check': {
    request: {
      gateway: string;
      quick?: boolean;
      group?: string;
      check?: string;
    };
    reply: {
      gateway: string;
      at: number;
      took: number;
      result: 'ok' | 'warn' | 'fail';
      root?: string;
      counts: {
        ok: number;
        warn: number;
        fail: number;
        skipped: number;
      };
      items: {
        id: string;
        group: string;
        about: string;
        result: 'ok' | 'warn' | 'fail' | 'skipped';
        evidence: string;
        cause?: string;
        next?: string;
        because?: string;
      }[];
    };
  };
  /** Reads the log of a gateway. Scope diagnosis:read. */
  'gateway.logs': {
    request: {
      gateway: string;
      since?: number;
      call?: string;
      level?: 'debug' | 'info' | 'warn' | 'error';
      after?: number;
      limit?: number;
    };
    reply: {
      items: {
        n: number;
        at: number;
        level: 'debug' | 'info' | 'warn' | 'error';
        event: string;
        fields: Record<string, string | number | boolean>;
      }[];
      last: number;
    };
  };
  /** Lists the calls that a gateway remembers. Scope diagnosis:read. */
  'gateway.calls': {
    request: {
      gateway: string;
    };
    reply: {
      items: {
        id: string;
        callIds: string[];
        from: string;
        to: string;
        startedAt: number;
        answeredAt?: number;
        endedAt?: number;
        reason?: string;
      }[];
    };
  };
  /** Shows one call message by message. Scope diagnosis:read. */
  'gateway.trace': {
    request: {
      gateway: string;
      call: string;
    };
    reply: {
      call: string;
      items: {
        at: number;
        kind: 'in' | 'out' | 'note';
        peer: string;
        summary: string;
        text: string;
      }[];
    };
  };
  /** Says in plain words what is wrong with a gateway, a line or a call. Scope diagnosis:read. */
  'gateway.why': {
    request: {
      gateway: string;
      about?: 'gateway' | 'line' | 'call';
      subject?: string;
    };
    reply: {
      answer: string;
      evidence: string[];
      next?: string;
      check?: string;
      certain: boolean;
    };
  };
  /** Asks a gateway for its addresses and routes. Scope diagnosis:read. */
  'gateway.network': {
    request: {
      gateway: string;
    };
    reply: {
      interfaces: {
        name: string;
        address: string;
        mac: string;
        up?: boolean;
        mtu?: number;
      }[];
      route?: string;
      nameservers: string[];
    };
  };
  /** Lists the devices on a gateway’s LAN as it sees them now. Scope diagnosis:read. */
  'gateway.hosts': {
    request: {
      gateway: string;
    };
    reply: {
      items: {
        id: string;
        name: string;
        kind: string;
        address: string;
        mac?: string;
        found: string;
      }[];
    };
  };
  /** Asks a gateway for its systems and updates. Scope diagnosis:read. */
  'gateway.update': {
    request: {
      gateway: string;
    };
    reply: {
      possible: boolean;
      board?: string;
      version?: string;
      slot?: 'A' | 'B';
      good?: boolean;
      floor?: string;
      state: string;
      job?: string;
      wanted?: string;
      octets?: number;
      size?: number;
      found: string[];
      history: {
        job: string;
        at: number;
        version?: string;
        from?: string;
        state: 'downloading' | 'installing' | 'rebooting' | 'proving' | 'good' | 'back' | 'failed';
        reason?: string;
        text?: string;
        stage?: 'none' | 'kernel' | 'init' | 'agent' | 'session';
        attempts?: number;
        lines?: string[];
      }[];
    };
  };
  /** Lists the serial ports of a gateway. Scope diagnosis:read. */
  'gateway.serial': {
    request: {
      gateway: string;
    };
    reply: {
      items: {
        path: string;
        driver?: string;
        usb?: string;
        product?: string;
        serial?: string;
      }[];
    };
  };
  /** Has a gateway make a support bundle without secrets, or fetches a part of one. Scope diagnosis:read. */
  'gateway.bundle': {
    request: {
      gateway: string;
      bundle?: string;
      part?: number;
    };
    reply: {
      id: string;
      octets: number;
      sha256: string;
      parts: number;
      files: {
        name: string;
        octets: number;
      }[];
      part?: number;
      data?: string;
    };
  };
  /** Lists the updates that a gateway has reported, newest first; also of a gateway that is away. Scope diagnosis:read. */
  'gateway.updates': {
    request: {
      gateway: string;
      limit?: number;
      after?: string;
    };
    reply: {
      items: {
        job: string;
        at: number;
        version?: string;
        from?: string;
        state: 'downloading' | 'installing' | 'rebooting' | 'proving' | 'good' | 'back' | 'failed';
        reason?: string;
        text?: string;
        stage?: 'none' | 'kernel' | 'init' | 'agent' | 'session';
        attempts?: number;
        lines?: string[];
      }[];
      next?: string;
    };
  };
}
