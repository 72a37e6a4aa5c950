-- Applies all writes to a scope, or none. Followed by the queries.
--
-- Every write is first checked against, and applied to, a picture of the keys in `state`, so that it sees the
-- writes before it and nothing is changed when a later one fails. Then the picture is stored: one command for
-- what changed, however often it did. Writes to an index have no condition; they are only noted, in `touched`
-- like the rest, and carried out in their order. What is only to be deleted goes at the end, by one command.
--
-- Limits have been checked by the caller (limits.rs); what depends on the stored state is checked here.

local EPOCH_KEPT = 86400000

local touched, t = {}, 0
local gone = {}
-- The values of members that are put without one, which is how nearly all are; and whether there are any values.
local blank, valued = {}, false

local function touch(key, it)
  -- From here on the picture is what is known of the key.
  state[key], strings[key] = it, nil
  t = t + 1
  touched[t] = it
  return it
end

local function journal_at(key, checkpoint)
  local it = state[key]
  if it then
    return it
  end
  local length = call('XLEN', key)
  return touch(key, { kind = 'j', key = key, checkpoint = checkpoint, base = length, length = length, entries = {} })
end

-- Returns nothing when the document is of another schema.
local function document_at(key)
  local it = state[key]
  if it then
    return it
  end
  local version = 0
  local header = strings[key]
  if header == nil then
    header = call('GETRANGE', key, 0, 18)
  end
  if header and header ~= '' then
    version = tonumber(match(header, '^1:(%d+):'))
    if not version then
      return nil
    end
  end
  return touch(key, { kind = 'd', key = key, version = version, existed = version > 0 })
end

local function counter_at(key)
  local it = state[key]
  if it then
    return it
  end
  local raw = string_at(key)
  local value, remaining = 0, -1
  if raw then
    value = tonumber(raw)
    if not value then
      return nil
    end
    remaining = call('PTTL', key)
  end
  return touch(key, { kind = 'c', key = key, value = value, remaining = remaining, existed = raw, exists = raw })
end

-- Adds to a counter at once: of the writes that follow none can fail, so there is nothing left to be decided. Returns
-- the value and the time that remains; nothing when the counter is of another schema; a value beyond the range when
-- it would have become one, and then the counter is as it was.
local function add_at_once(key, delta, ttl)
  strings[key] = nil
  local remaining = call('PTTL', key)
  if remaining == -2 then
    local value = tonumber(delta)
    if value <= 9007199254740991 and value >= -9007199254740991 then
      if ttl ~= '' then
        call('SET', key, delta, 'PX', ttl)
        return value, tonumber(ttl)
      end
      call('SET', key, delta)
    end
    return value, -1
  end
  local value = redis.pcall('INCRBY', key, delta)
  if type(value) ~= 'number' then
    return nil
  end
  if value > 9007199254740991 or value < -9007199254740991 then
    call('DECRBY', key, delta)
  end
  return value, remaining
end

local function lease_at(key)
  local it = state[key]
  if it then
    return it
  end
  local epoch, expires, holder = lease_of(string_at(key))
  if not epoch then
    return nil
  end
  return touch(key, { kind = 'l', key = key, epoch = epoch, expires = expires, holder = holder })
end

-- The lease is free from the moment on at which it expires, so the one before is the last at which it is held.
local function granted(it)
  return format('g%d %d ', it.epoch, it.expires - 1)
end

local function lease_conflict(write, it)
  return format('!%d ', write) .. lease_field(it.epoch, it.expires, it.holder)
end

a = a + 1
for write = 0, tonumber(args[a]) - 1 do
  local op, key = args[a + 1], keys[k + 1]

  if op == 'append' then
    local how, expected, ttl, count = args[a + 2], tonumber(args[a + 3]), args[a + 4], tonumber(args[a + 5])
    local it = journal_at(key, keys[k + 2])
    local length = it.length
    if (how == '=' and length ~= expected) or (how == '>' and length < expected) then
      return format('!%d l%d ', write, length)
    end
    local entries = it.entries
    local held = #entries
    for i = 1, count do
      entries[held + i] = args[a + 5 + i]
    end
    length = length + count
    it.length = length
    if ttl ~= '' and length > 0 then
      it.ttl = ttl
    end
    n = n + 1
    out[n] = format('l%d ', length)
    k, a = k + 2, a + 5 + count

  elseif op == 'put' or op == 'put-large' then
    local how, expected, ttl = args[a + 2], tonumber(args[a + 3]), args[a + 4]
    local it = document_at(key)
    if not it then
      return corrupt(key)
    end
    local version = it.version
    if (how == '=' and version ~= expected) or (how == '>' and version < expected) then
      return format('!%d v%d ', write, version)
    end
    version = version + 1
    it.version, it.value, it.large = version, args[a + 5], op == 'put-large'
    if ttl ~= '' then
      it.ttl = ttl
    end
    n = n + 1
    out[n] = format('v%d ', version)
    k, a = k + 1, a + 5

  elseif op == 'acquire' then
    local holder = args[a + 2]
    local it = lease_at(key)
    if not it then
      return corrupt(key)
    end
    if it.holder ~= '' and it.holder ~= holder then
      return lease_conflict(write, it)
    end
    it.epoch, it.holder, it.expires, it.changed = it.epoch + 1, holder, now() + args[a + 3], true
    n = n + 1
    out[n] = granted(it)
    k, a = k + 1, a + 3

  elseif op == 'hold' or op == 'release' then
    local it = lease_at(key)
    if not it then
      return corrupt(key)
    end
    if it.holder == '' or it.epoch ~= tonumber(args[a + 2]) then
      return lease_conflict(write, it)
    end
    n = n + 1
    if op == 'release' then
      it.holder, it.expires, it.changed = '', 0, true
      out[n] = 'd'
      a = a + 2
    else
      if args[a + 3] ~= '' then
        it.expires, it.changed = now() + args[a + 3], true
      end
      out[n] = granted(it)
      a = a + 3
    end
    k = k + 1

  elseif op == 'not-after' then
    if now() > tonumber(args[a + 2]) then
      return format('!%d t%d ', write, now())
    end
    n = n + 1
    out[n] = 'd'
    a = a + 2

  elseif op == 'add' or op == 'add-last' then
    local delta, ttl = args[a + 2], args[a + 3]
    local at_once = op == 'add-last' and not state[key]
    local it, value, remaining
    if at_once then
      value, remaining = add_at_once(key, delta, ttl)
    else
      it = counter_at(key)
      value = it and it.value + delta
    end
    if not value then
      return corrupt(key)
    end
    if value > 9007199254740991 or value < -9007199254740991 then
      return format('?%d c', write)
    end
    if it then
      if not it.exists and ttl ~= '' then
        it.ttl, it.remaining = ttl, tonumber(ttl)
      end
      it.value, it.exists, remaining = value, true, it.remaining
    end
    n = n + 1
    out[n] = format('c%d %d ', value, remaining)
    k, a = k + 1, a + 3

  elseif op == 'checkpoint' then
    local position = tonumber(args[a + 2])
    local it = journal_at(key, keys[k + 2])
    if position > it.length then
      return format('?%d l%d ', write, it.length)
    end
    if it.length > 0 then
      it.position = position
    end
    n = n + 1
    out[n] = 'd'
    k, a = k + 2, a + 2

  elseif op == 'delete-journal' then
    local it = journal_at(key, keys[k + 2])
    it.deleted, it.base, it.length, it.entries, it.ttl, it.position = true, 0, 0, {}, nil, nil
    n = n + 1
    out[n] = 'd'
    k, a = k + 2, a + 1

  elseif op == 'delete' then
    local how, expected = args[a + 2], tonumber(args[a + 3])
    local it = document_at(key)
    if not it then
      return corrupt(key)
    end
    local version = it.version
    if (how == '=' and version ~= expected) or (how == '>' and version < expected) then
      return format('!%d v%d ', write, version)
    end
    it.version, it.value, it.ttl, it.deleted = 0, nil, nil, true
    n = n + 1
    out[n] = 'd'
    k, a = k + 1, a + 3

  else
    -- A write to an index: 'index-put' (only if existing, member, score, value), 'index-remove' (member) or
    -- 'index-trim' (below).
    t = t + 1
    touched[t] = { kind = op, key = key, values = keys[k + 2], at = a + 1 }
    if op == 'index-put' and args[a + 5] == '' then
      blank[#blank + 1] = keys[k + 2]
    end
    n = n + 1
    out[n] = 'd'
    k = k + 2
    a = a + (op == 'index-put' and 5 or 2)
  end
end

if #blank > 0 then
  valued = call('EXISTS', unpack(blank)) > 0
end

for i = 1, t do
  local it = touched[i]
  local kind, key = it.kind, it.key

  if kind == 'j' then
    local entries, base, ttl = it.entries, it.base, it.ttl
    local added = #entries
    if it.deleted then
      call('DEL', key, it.checkpoint)
    end
    for e = 1, added do
      call('XADD', key, format('%d-0', base + e), 'e', entries[e])
    end
    -- The journal first: its checkpoint must not expire before it does.
    if ttl then
      call('PEXPIRE', key, ttl)
    end
    local position = it.position
    if position and position > 0 then
      if ttl then
        call('SET', it.checkpoint, position, 'PX', ttl)
      else
        local at = call('PEXPIRETIME', key)
        if at > 0 then
          call('SET', it.checkpoint, position, 'PXAT', at)
        else
          call('SET', it.checkpoint, position)
        end
      end
      strings[it.checkpoint] = nil
    elseif it.deleted then
      strings[it.checkpoint] = nil
    elseif position or (base == 0 and added > 0) then
      -- A checkpoint that outlived its journal is none of the new one's.
      gone[#gone + 1] = it.checkpoint
      strings[it.checkpoint] = nil
    elseif ttl and base > 0 then
      call('PEXPIRE', it.checkpoint, ttl)
    end
    if added > 0 then
      call('PUBLISH', key, it.length)
    end

  elseif kind == 'd' then
    if it.value then
      local value = it.value
      if not it.large then
        value = format('1:%d:', it.version) .. value
      end
      if it.ttl then
        call('SET', key, value, 'PX', it.ttl)
      elseif it.existed and not it.deleted then
        call('SET', key, value, 'KEEPTTL')
      else
        call('SET', key, value)
      end
      if it.large then
        -- It came with a version of 16 zeros.
        call('SETRANGE', key, 2, format('%016d', it.version))
      end
    elseif it.existed and it.deleted then
      gone[#gone + 1] = key
    end

  elseif kind == 'l' then
    -- The key outlives the lease, so that its epoch goes on growing.
    if it.changed then
      local held = it.holder ~= '' and it.expires - now() or 0
      call('SET', key, format('1:%d:%d:', it.epoch, it.expires) .. it.holder, 'PX', held + EPOCH_KEPT)
    end

  elseif kind == 'c' then
    if it.existed then
      call('SET', key, it.value, 'KEEPTTL')
    elseif it.ttl then
      call('SET', key, it.value, 'PX', it.ttl)
    else
      call('SET', key, it.value)
    end

  elseif kind == 'index-put' then
    local member, value = args[it.at + 2], args[it.at + 4]
    local there = true
    if args[it.at + 1] == '0' then
      call('ZADD', key, args[it.at + 3], member)
    elseif call('ZADD', key, 'XX', 'CH', args[it.at + 3], member) == 0 then
      -- It is not there, or had this score before.
      there = (valued or value ~= '') and call('ZSCORE', key, member)
    end
    -- A member without a value has no field.
    if there and value ~= '' then
      call('HSET', it.values, member, value)
      valued = true
    elseif there and valued then
      call('HDEL', it.values, member)
    end

  elseif kind == 'index-remove' then
    local member = args[it.at + 1]
    call('ZREM', key, member)
    call('HDEL', it.values, member)

  else
    local below = '(' .. args[it.at + 1]
    local members = call('ZRANGE', key, '-inf', below, 'BYSCORE', 'LIMIT', 0, 1000)
    while #members > 0 do
      call('ZREM', key, unpack(members))
      call('HDEL', it.values, unpack(members))
      members = call('ZRANGE', key, '-inf', below, 'BYSCORE', 'LIMIT', 0, 1000)
    end
  end
end

if #gone > 0 then
  call('DEL', unpack(gone))
end
