/** Why a TLS connection to a carrier did not come about, where a certificate is the reason: in words for the operator. Pure. */
import type { NetError } from '#shared/kernel/world.ts';

const UNKNOWN = 'its certificate is of an authority that is not believed';
const OTHER_NAME = 'its certificate speaks for another name';

const CAUSES: Readonly<Record<string, string | undefined>> = Object.assign(Object.create(null), {
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN,
  CERT_SIGNATURE_FAILURE: UNKNOWN,
  INVALID_CA: UNKNOWN,
  CERT_UNTRUSTED: UNKNOWN,
  CERT_HAS_EXPIRED: 'its certificate is over',
  CERT_NOT_YET_VALID: 'its certificate does not hold yet',
  ERR_TLS_CERT_ALTNAME_INVALID: OTHER_NAME,
});

/** What it says of a certificate; undefined where it was something else. */
export function certificateFault({ code, message }: NetError): string | undefined {
  // A name is judged by ourselves (RFC 5922).
  if (code === 'ECERT') return message.includes('not believed') ? UNKNOWN : OTHER_NAME;
  return (
    CAUSES[code] ??
    (/^ERR_SSL_.*(?:CERTIFICATE|UNKNOWN_CA)/.test(code) ? 'it does not accept our certificate' : undefined)
  );
}
