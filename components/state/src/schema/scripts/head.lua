-- The beginning of every script on a scope.
--
-- KEYS and ARGV are consumed from left to right; `k` and `a` are the last ones consumed. The first arguments name
-- strings that the script is going to read whole, as a count and positions in KEYS: they are read by one command.
--
-- The reply is one string, or the pieces of one: a status byte and then fields, each a tag with integers, every one
-- of them followed by a space, and after a length that many raw bytes. It is decoded in reply.rs.
--
-- Each command costs about as much as all that Lua does around it. So nothing is asked of Redis twice, and what can be
-- asked at once is.
--
-- Lua hashes every byte of every string that it makes, so what is large is made into none but those that come in and
-- go out.
--
--   '+'  done; the results follow
--   '!'  a condition did not hold: the write's position and what is the case; nothing was changed
--   '?'  a rule was broken: the write's position and which rule; nothing was changed
--   'x'  a key holds what this schema does not know: the key; nothing was changed
--
-- Numbers are doubles and stay within 2^53. They are written with '%d', because Lua's own conversion keeps
-- 14 digits only.

local call, format, match, tonumber = redis.call, string.format, string.match, tonumber
local keys, args = KEYS, ARGV
local k, a = 0, 0
local out, n = { '+' }, 1
-- From how many bytes on something is large, and whether something of the reply is.
local LARGE = 1024
local large = false

-- What is known of keys, by their names: journals, documents, counters and leases as they are after the writes so far
-- (commit.lua), and strings as Redis has them; false where there is none.
local state, strings = {}, {}

a = 1 + args[1]
if a > 1 then
  local names = {}
  for i = 2, a do
    names[i - 1] = keys[tonumber(args[i])]
  end
  local values = call('MGET', unpack(names))
  for i = 1, a - 1 do
    strings[names[i]] = values[i]
  end
end

local function string_at(key)
  local value = strings[key]
  if value == nil then
    return call('GET', key)
  end
  return value
end

-- Milliseconds since the Unix epoch by the server's clock, which is the only one that decides: callers' clocks
-- differ. It stands still during a script.
local clock
local function now()
  if not clock then
    local time = call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return clock
end

-- A lease is '1:<epoch>:<until>:<holder>'; returns nothing when it is of another schema. A lease that ran out
-- is one that nobody holds.
local function lease_of(raw)
  if not raw then
    return 0, 0, ''
  end
  local epoch, expires, holder = match(raw, '^1:(%d+):(%d+):(.*)$')
  if not epoch then
    return nil
  end
  epoch, expires = tonumber(epoch), tonumber(expires)
  if expires <= now() then
    return epoch, 0, ''
  end
  return epoch, expires, holder
end

local function lease_field(epoch, expires, holder)
  local remaining = 0
  if holder ~= '' then
    remaining = expires - now()
  end
  return format('L%d %d %d ', epoch, remaining, #holder) .. holder
end

local function corrupt(key)
  return format('x%d ', #key) .. key
end
