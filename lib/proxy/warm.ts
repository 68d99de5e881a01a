/** Warming, over the engine and by way of the origin. */
import type { Engine } from '../engine/engine.js';
import { EngineWarmer } from '../warm/engine-warmer.js';
import { createOriginSource } from '../warm/origin-source.js';
import type { Terminal } from '../warm/progress.js';
import { Warming } from '../warm/warming.js';

export function makeWarming(engine: Engine, terminal: Terminal | undefined): Warming {
  const { clock, events } = engine.parts;
  return new Warming({
    clock,
    events,
    random: Math.random,
    source: createOriginSource(engine.parts),
    makeWarmer: (settings) => new EngineWarmer(engine, settings),
    terminal,
  });
}
