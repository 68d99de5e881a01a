/** Which of the settings of a rule holds for one status, and for the origin as it is now. */
import type { DurationSetting, HealthSetting, StatusSetting } from '../config/rule.js';

/** The setting for a status: by its number, else by its class, else the one for all others. */
export function settingFor(setting: StatusSetting, status: number): DurationSetting {
  if (setting.kind !== 'by-status') return setting;
  return setting.statuses[String(status)] ?? setting.statuses[`${Math.floor(status / 100)}xx`] ?? setting.other;
}

/** Whether the operator wrote this status, or its class, in so many words. */
export function isNamed(setting: StatusSetting, status: number): boolean {
  if (setting.kind !== 'by-status') return false;
  return String(status) in setting.statuses || `${Math.floor(status / 100)}xx` in setting.statuses;
}

/** The setting while the origin can be reached, and the one while it cannot. */
export function byHealth(setting: HealthSetting): {
  readonly healthy: StatusSetting;
  readonly unhealthy: StatusSetting;
} {
  return setting.kind === 'by-health' ? setting : { healthy: setting, unhealthy: setting };
}
