/**
 * What machines tell each other, heard beside them. A count of messages alone does not say which have come: of two machines one may
 * hear what the other one told long before, and what it told itself, at any time. But all hear the same, in one order.
 *
 *   const hearing = await listenIn(redis);      // before there are machines
 *   const count = await hearing.told(isPush);   // messages so far, with the first that is meant
 *   await heard(there, count);
 */
import { type News, readNews } from '../../lib/store/shared-news.js';
import { readOp, type SharedOp } from '../../lib/store/shared-ops.js';
import { NO_NEWS, OP_MARK } from '../../lib/store/shared-table.js';
import { eventually, type RedisServer } from '../kit/redis-server.js';

/** One of these, or something else. */
export interface Message {
  readonly news: News | undefined;
  readonly op: SharedOp | undefined;
}

export interface Hearing {
  /** Messages so far that say something. */
  readonly count: number;
  /** Waits for the first message behind `from` others that is meant. Resolves with how many there were with it. */
  told(isMeant: (message: Message) => boolean, from?: number): Promise<number>;
}

export async function listenIn(redis: RedisServer, channel = 'patina:news'): Promise<Hearing> {
  const published = await redis.listen(channel);
  const told = (): Message[] => published.filter((bytes) => !bytes.equals(NO_NEWS)).map(read);
  return {
    get count() {
      return told().length;
    },
    async told(isMeant, from = 0) {
      let at = -1;
      await eventually(() => {
        at = told().findIndex((message, index) => index >= from && isMeant(message));
        return at >= 0;
      }, 'it is told');
      return at + 1;
    },
  };
}

function read(bytes: Buffer): Message {
  const isOp = bytes.toString('latin1', 0, 1) === OP_MARK;
  return { news: readNews(bytes), op: isOp ? readOp(bytes.toString('utf8', 1)) : undefined };
}

/** A pushed response, or that one cannot be had. */
export function isPush({ news, op }: Message): boolean {
  return news?.what === 'pushed' || (op?.reach.kind === 'keys' && op.reach.earlier !== undefined);
}
