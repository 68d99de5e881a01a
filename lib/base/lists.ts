/** Whether both have the same members in the same order; of what may be absent, whether both are. */
export function isSameList(one: readonly unknown[] | undefined, other: readonly unknown[] | undefined): boolean {
  if (one === other) return true;
  if (one === undefined || other === undefined) return false;
  return one.length === other.length && one.every((value, at) => value === other[at]);
}
