/** Events for the tests of the listeners: a plain fresh hit and a plain 304, changed where a test says so. */
import type { AnsweredEvent, AskedEvent } from '../../lib/observe/events.js';

export function answered(changes: Partial<AnsweredEvent> = {}): AnsweredEvent {
  return {
    method: 'GET',
    host: 'www.example.com',
    target: '/article/3',
    remoteAddress: '192.0.2.7',
    httpVersion: '1.1',
    status: 200,
    outcome: 'HIT',
    reason: 'fresh',
    rule: 'defaults',
    ageSec: 12,
    bodyBytes: 1024,
    durationMs: 1.234,
    collapsed: false,
    ending: 'finished',
    userAgent: 'test/1.0',
    referer: undefined,
    startedWall: Date.UTC(2026, 0, 1, 12, 0, 1, 123),
    ...changes,
  };
}

export function asked(changes: Partial<AskedEvent> = {}): AskedEvent {
  return {
    askedFor: 'refresh',
    end: 'not-modified',
    status: 304,
    reason: 'revalidated',
    key: 'http://www.example.com/article/3',
    durationMs: 5,
    bodyBytes: 0,
    background: true,
    savedBytes: 12_288,
    ...changes,
  };
}
