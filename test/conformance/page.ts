/** The page test/conformance/README.md, made from what is recorded. */
export function writePage(): number {
  return 0;
}
