/**
 * Which lane the fronts of a test run read with: PATINA_TEST_FAST_LANE=off has the whole suite go by node:http. Everything
 * must pass either way.
 */
export const HAS_FAST_LANE = process.env['PATINA_TEST_FAST_LANE'] !== 'off';
