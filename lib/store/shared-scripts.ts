/**
 * What must happen at once in Redis, as scripts of one key each: all that belongs to one stored key is one hash, so that
 * no script is ever split over two slots, not even while a slot moves (TRYAGAIN).
 *
 * Fields of the hash: `k` the key; `r<variant>` a record behind 40 digits (keepUntil, requestedAt); `l<variant>` a lease:
 * 20 digits of its end, then its holder: its process, which of its leases, each with a dot behind; `p` up to when what was asked for is purged; `a` until when everybody goes alone.
 */

/** Digits in front of a record: keepUntil, then requestedAt. */
export const INSTANT_DIGITS = 20;

const NOW = `
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local key = KEYS[1]
local function lasts(ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, math.ceil(ms)) end
end
-- One lease by its whole holder, or whichever is there of a process by the beginning of it.
local function held(variant, holder)
  local l = redis.call('HGET', key, 'l' .. variant)
  return l and string.sub(l, 21, 20 + #holder) == holder
end
local function instant(v, from)
  return tonumber(string.sub(v, from, from + 19)) or 0
end
local function pad(ms)
  return string.format('%020.3f', ms)
end
`;

/** What is no hash under the name of one is not ours, would be in the way for as long as it lasts, and goes. */
const HASH = `${NOW}
local alien = 0
local kind = redis.call('TYPE', key).ok
if kind ~= 'hash' and kind ~= 'none' then alien = redis.call('DEL', key) end
`;

/**
 * variant, holder, leaseMs, knownAt or '', mode. Returns now, kind, leftMs, records, how much there was no sense in. A process is not sent to wait for itself:
 * whoever asks there has nobody to join there, so what it holds is a lease that it was given too late to know of.
 */
export const LOOK = `${HASH}
local variant, holder, lease, known, mode = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local function process(of)
  return string.match(of, '^[^.]*')
end
local found = {}
if mode ~= 'blind' then
  if known ~= '' then
    local v = redis.call('HGET', key, 'r' .. variant)
    if v and instant(v, 1) > now and instant(v, 21) > tonumber(known) then found[1] = v end
  else
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
      if string.sub(all[i], 1, 1) == 'r' and instant(all[i + 1], 1) > now then found[#found + 1] = all[i + 1] end
    end
  end
end
if #found > 0 then return {string.format('%.3f', now), 'found', '0', found, alien} end
if mode == 'look' then return {string.format('%.3f', now), 'none', '0', found, alien} end
local a = redis.call('HGET', key, 'a')
if a and tonumber(a) > now then return {string.format('%.3f', now), 'alone', '0', found, alien} end
local l = redis.call('HGET', key, 'l' .. variant)
if l and instant(l, 1) > now and process(string.sub(l, 21)) ~= process(holder) then
  return {string.format('%.3f', now), 'elsewhere', string.format('%.3f', instant(l, 1) - now), found, alien}
end
redis.call('HSET', key, 'l' .. variant, pad(now + lease) .. holder)
lasts(lease)
return {string.format('%.3f', now), 'held', ARGV[3], found, alien}
`;

/** variant, holder, leaseMs. */
export const RENEW = `${NOW}
if not held(ARGV[1], ARGV[2]) then return 0 end
redis.call('HSET', key, 'l' .. ARGV[1], pad(now + tonumber(ARGV[3])) .. ARGV[2])
lasts(tonumber(ARGV[3]))
return 1
`;

/** variant (of the lease, and of what is renewed; `all`: of what has no Vary), holder, recordVariant, key, record with its digits, '1' for a push, channel, news, otherwise, maxVariants. */
export const KEEP = `${HASH}
local field, record = 'r' .. ARGV[3], ARGV[5]
local keepUntil, requested = instant(record, 1), instant(record, 21)
local verdict = 'kept'
local p = redis.call('HGET', key, 'p')
local old = redis.call('HGET', key, field)
if p and requested <= tonumber(p) then verdict = 'purged'
elseif old and instant(old, 1) > now and instant(old, 21) > requested then verdict = 'older'
else
  if ARGV[6] == '1' then redis.call('HSET', key, 'p', pad(requested)) end
  redis.call('HSET', key, 'k', ARGV[4], field, record)
  -- What answered before what this was asked for would be found before it (RFC 9111 §4.1). What has no Vary is for others too.
  local before = 'r' .. ARGV[1]
  local passed = before ~= field and ARGV[1] ~= 'all' and redis.call('HGET', key, before)
  if passed and instant(passed, 21) <= requested then redis.call('HDEL', key, before) end
  lasts(keepUntil - now)
  local all = redis.call('HGETALL', key)
  local count, oldest, oldestAt = 0, nil, nil
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == 'r' then
      if instant(all[i + 1], 1) <= now then redis.call('HDEL', key, all[i])
      else
        count = count + 1
        local at = instant(all[i + 1], 21)
        if all[i] ~= field and (oldestAt == nil or at < oldestAt) then oldest, oldestAt = all[i], at end
      end
    end
  end
  if count > tonumber(ARGV[10]) and oldest then redis.call('HDEL', key, oldest) end
end
if ARGV[2] ~= '' and held(ARGV[1], ARGV[2]) then redis.call('HDEL', key, 'l' .. ARGV[1]) end
if verdict == 'kept' then redis.call('PUBLISH', ARGV[7], ARGV[8]) else redis.call('PUBLISH', ARGV[7], ARGV[9]) end
return verdict
`;

/** variant, holder, aloneMs, channel, news. */
export const RELEASE = `${NOW}
if held(ARGV[1], ARGV[2]) then redis.call('HDEL', key, 'l' .. ARGV[1]) end
local alone = tonumber(ARGV[3])
if alone > 0 then
  redis.call('HSET', key, 'a', pad(now + alone))
  lasts(alone)
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
`;

/** at, tombMs, '1' where nothing is to be noted of a key that is not there. */
export const PURGE = `${HASH}
if ARGV[3] == '1' and redis.call('EXISTS', key) == 0 then return 0 end
local at, count = tonumber(ARGV[1]), 0
local all = redis.call('HGETALL', key)
local before = 0
for i = 1, #all, 2 do
  if all[i] == 'p' then before = tonumber(all[i + 1]) end
  if string.sub(all[i], 1, 1) == 'r' and instant(all[i + 1], 21) <= at then
    redis.call('HDEL', key, all[i])
    count = count + 1
  end
end
redis.call('HDEL', key, 'a')
redis.call('HSET', key, 'p', pad(math.max(at, before)))
lasts(tonumber(ARGV[2]))
return count
`;

/** variant, record with its digits. */
export const DROP = `
if redis.call('HGET', KEYS[1], 'r' .. ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], 'r' .. ARGV[1])
`;

/** Key: the index of a tag. name, until, now, most names. */
export const NOTE_TAG = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
local extra = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[4])
if extra > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, extra - 1) end
local ms = math.ceil(tonumber(ARGV[2]) - tonumber(ARGV[3]))
if redis.call('PTTL', KEYS[1]) < ms then redis.call('PEXPIRE', KEYS[1], ms) end
return 1
`;

/** Key: the log. most entries, text, channel, first byte of the message, for how long it lasts from now. */
export const APPEND_OP = `
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'op', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PUBLISH', ARGV[3], ARGV[4] .. ARGV[2])
return id
`;

/** Key: the log. channel, message. */
export const SPEAK = `
return redis.call('PUBLISH', ARGV[1], ARGV[2])
`;

/** Key: the log. after or '', count, for how long it lasts from now. Returns now, the first id or '', entries. */
export const READ_OPS = `${NOW}
redis.call('PEXPIRE', key, ARGV[3])
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local entries = redis.call('XRANGE', key, from, '+', 'COUNT', ARGV[2])
local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)
return {string.format('%.3f', now), first[1] and first[1][1] or '', entries}
`;
