/** Values of Range at random: one range in all its forms, and what is none or more. */
import fc from 'fast-check';

/** `sizes`: lengths of representations, around which ranges are of interest. */
export function anyRange(sizes: readonly number[]): fc.Arbitrary<string> {
  const place = fc.oneof(
    fc.nat(8),
    fc.tuple(fc.constantFrom(...sizes), fc.integer({ min: -2, max: 2 })).map(([size, by]) => Math.max(0, size + by)),
    fc.nat(Math.max(...sizes)),
  );
  const large = fc.constantFrom('00', '007', '9007199254740993', '99999999999999999999999');
  const digits = fc.oneof({ weight: 9, arbitrary: place.map(String) }, { weight: 1, arbitrary: large });
  const closed = fc
    .tuple(place, fc.oneof(fc.nat(20), fc.nat(20_000)))
    .map(([first, more]) => `bytes=${first}-${first + more}`);
  return fc.oneof(
    { weight: 6, arbitrary: closed },
    { weight: 3, arbitrary: fc.tuple(digits, digits).map(([first, last]) => `bytes=${first}-${last}`) },
    { weight: 3, arbitrary: digits.map((first) => `bytes=${first}-`) },
    { weight: 3, arbitrary: digits.map((length) => `bytes=-${length}`) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ...['Bytes=0-0', 'BYTES=-1', 'bytes= 0-1', 'bytes=0-1,', 'bytes=0-0,2-3', 'bytes=0-0, 99999999-', 'bytes=5-2'],
        ...[
          'bytes=',
          'bytes=-',
          'bytes',
          'bytes 0-1',
          'lines=0-1',
          'bytes=a-b',
          'bytes=1',
          'bytes=+1-2',
          'bytes=0x0-1',
        ],
      ),
    },
  );
}
