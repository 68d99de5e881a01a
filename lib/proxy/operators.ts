/** Who may operate this proxy: the token in force, and the addresses that may send PURGE and REFRESH. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { makeTokenCheck, type TokenCheck } from '../admin/token.js';
import { ConfigError } from '../base/errors.js';
import type { Config } from '../config/schema.js';
import { isReadableByOthers, TOKEN_VARIABLE, tokenFrom, tokenProblem } from '../config/token.js';
import type { OperatorMethods } from '../engine/operator-methods.js';
import type { Events } from '../observe/events.js';

/** The check of the configured token; undefined where there is none. Throws a ConfigError where it cannot be one. */
export function tokenCheckFor(
  config: Config,
  fromEnvironment: string | undefined,
  events: Events,
): TokenCheck | undefined {
  const { tokenFile } = config.admin;
  const token = tokenFile === undefined ? fromEnvironment : readToken(tokenFile, events);
  if (token === undefined || token === '') {
    if (config.purgeMethods.from.length > 0) {
      const message =
        'purge_methods is set, but no token of the operators: PURGE and REFRESH are refused to everybody.';
      events.notice('warn', 'operators-without-token', message);
    }
    return undefined;
  }
  const problem = tokenProblem(token);
  if (problem !== undefined) throw new ConfigError([`${tokenFile ?? TOKEN_VARIABLE}: ${problem}`]);
  return makeTokenCheck(token);
}

function readToken(file: string, events: Events): string {
  try {
    if (isReadableByOthers(file)) {
      const message = 'Other users of this machine can read the token of the operators: chmod 600 the file.';
      events.notice('warn', 'token-file-readable', message, { file });
    }
    return tokenFrom(file);
  } catch (error) {
    throw new ConfigError([`admin.token_file: ${file} cannot be read: ${String(error)}`]);
  }
}

export function makeOperatorMethods({ purgeMethods }: Config, check: TokenCheck | undefined): OperatorMethods {
  const listed = new BlockList();
  for (const { address, prefixBits, family } of purgeMethods.from) listed.addSubnet(address, prefixBits, family);
  return {
    isOn: purgeMethods.from.length > 0,
    refuse(address, authorization) {
      if (!isListed(listed, address)) return 'operator-address';
      if (check === undefined) return 'operator-no-token';
      return check(authorization) === 'shown' ? undefined : 'operator-token';
    },
  };
}

/** A dual-stack socket shows an IPv4 client as `::ffff:192.0.2.1`. */
function isListed(listed: BlockList, address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIPv4(plain)) return listed.check(plain, 'ipv4');
  return isIPv6(plain) && listed.check(plain, 'ipv6');
}
