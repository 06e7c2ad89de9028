export class SipMessage {}
