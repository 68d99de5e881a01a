/**
 * Who gave a stored response its lifetimes, as a number that other processes, and this one after a restart, know too:
 * a rule that says the same has the same mark in the same version of the program. What it made needs no second look.
 */
import { createHash } from 'node:crypto';
import { VERSION } from '../base/version.js';

const MARK_BYTES = 6;
const marks = new WeakMap<object, number>();
const makers = new Map<number, WeakRef<object>>();

/**
 * The one maker in this process that says this: `maker`, unless another that is still in use was told of before.
 * `says`: all that it makes lifetimes by, what kind of thing it is included.
 */
export function oneMaker<Maker extends object>(maker: Maker, says: string): Maker {
  const digest = createHash('sha256').update(`${VERSION}\n${says}`).digest();
  const mark = digest.readUIntBE(0, MARK_BYTES);
  const known = makers.get(mark)?.deref();
  if (known !== undefined) return known as Maker;
  marks.set(maker, mark);
  makers.set(mark, new WeakRef(maker));
  return maker;
}

/** 0 where it has none. */
export function markOf(maker: object | undefined): number {
  return (maker === undefined ? undefined : marks.get(maker)) ?? 0;
}

/** Undefined where nobody in this process has this mark. */
export function makerOf(mark: number): object | undefined {
  return mark === 0 ? undefined : makers.get(mark)?.deref();
}
