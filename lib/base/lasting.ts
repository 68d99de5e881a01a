/**
 * Small runs of bytes that are kept for long. Node gives small buffers parts of one of 8 KB that they share, most of them good for a moment:
 * one that stays keeps all 8 KB. Those that are kept share one among themselves here.
 */
const BLOCK_BYTES = 8 * 1024;
/** A longer one has memory of its own. */
const MAX_SHARED_BYTES = BLOCK_BYTES / 8;

let block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
let usedBytes = 0;

/** A copy that keeps next to nothing but itself in memory. */
export function lasting(bytes: Uint8Array): Buffer {
  const { length } = bytes;
  const copy = length > MAX_SHARED_BYTES ? Buffer.allocUnsafeSlow(length) : next(length);
  copy.set(bytes);
  return copy;
}

function next(length: number): Buffer {
  if (usedBytes + length > BLOCK_BYTES) {
    block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    usedBytes = 0;
  }
  usedBytes += length;
  return block.subarray(usedBytes - length, usedBytes);
}
