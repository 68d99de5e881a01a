/** Cuts a range out of a list of chunks without copying. */

export function sliceChunks(chunks: readonly Buffer[], from: number, until: number): Buffer[] {
  const out: Buffer[] = [];
  let start = 0;
  for (const chunk of chunks) {
    const end = start + chunk.length;
    if (end > from && start < until) {
      const whole = start >= from && end <= until;
      out.push(whole ? chunk : chunk.subarray(Math.max(0, from - start), Math.min(chunk.length, until - start)));
    }
    if (end >= until) break;
    start = end;
  }
  return out;
}
