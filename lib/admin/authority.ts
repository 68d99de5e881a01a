/**
 * Which Host a request to the admin listener may carry. A listener on loopback is for this machine, but a web page
 * anywhere can make a browser on this machine ask it, under a name that was made to resolve to loopback (DNS
 * rebinding), and then read the answer. Such a request carries that name; RFC 9110 §7.4 has us refuse it.
 */
import { isLoopbackAddress } from '../base/loopback.js';

/** The host of a Host field or of an authority, in lower case and without port, brackets and final dot. */
function hostOf(authority: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]@/\s]*))(?::\d*)?$/i.exec(authority.trim());
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
}

/**
 * The check for a listener that is bound to `boundAddress` and was configured as `configuredHost`. Elsewhere than on
 * loopback every name may be right, so none is refused: who binds there has other means to keep strangers out.
 */
export function makeHostCheck(boundAddress: string, configuredHost: string): (authority: string) => boolean {
  if (!isLoopbackAddress(boundAddress)) return () => true;
  const configured = configuredHost.toLowerCase();
  return (authority) => {
    const host = hostOf(authority);
    // Every browser sends a Host; who sends none (a probe in HTTP/1.0) is not one.
    if (host === '') return true;
    if (host === undefined) return false;
    // RFC 6761 §6.3: names below localhost never leave the machine.
    return host === 'localhost' || host.endsWith('.localhost') || host === configured || isLoopbackAddress(host);
  };
}
