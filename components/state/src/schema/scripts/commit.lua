-- Applies all writes to a scope, or none. Followed by the queries.
--
-- Every write is first checked against, and applied to, a picture of the keys in `state`, so that it sees the
-- writes before it and nothing is changed when a later one fails. Then the picture is stored: one command for
-- what changed, however often it did. Writes to an index have no condition; they are only noted, in `touched`
-- like the rest, and carried out in their order.
--
-- Limits have been checked by the caller (limits.rs); what depends on the stored state is checked here.

local EPOCH_KEPT = 86400000

local state, touched, t = {}, {}, 0

local function touch(key, it)
  state[key] = it
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
  local header = call('GETRANGE', key, 0, 18)
  if header ~= '' then
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
  local raw = call('GET', key)
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

local function lease_at(key)
  local it = state[key]
  if it then
    return it
  end
  local epoch, expires, holder = lease_of(call('GET', key))
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

  elseif op == 'add' then
    local ttl = args[a + 3]
    local it = counter_at(key)
    if not it then
      return corrupt(key)
    end
    local value = it.value + args[a + 2]
    if value > 9007199254740991 or value < -9007199254740991 then
      return format('?%d c', write)
    end
    if not it.exists and ttl ~= '' then
      it.ttl, it.remaining = ttl, tonumber(ttl)
    end
    it.value, it.exists = value, true
    n = n + 1
    out[n] = format('c%d %d ', value, it.remaining)
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
    n = n + 1
    out[n] = 'd'
    k = k + 2
    a = a + (op == 'index-put' and 5 or 2)
  end
end

for i = 1, t do
  local it = touched[i]
  local kind, key = it.kind, it.key

  if kind == 'j' then
    local entries, base, ttl = it.entries, it.base, it.ttl
    local added = #entries
    if it.deleted then
      call('DEL', key, it.checkpoint)
    elseif base == 0 and added > 0 then
      -- A checkpoint that outlived its journal is none of the new one's.
      call('DEL', it.checkpoint)
    end
    for e = 1, added do
      call('XADD', key, format('%d-0', base + e), 'e', entries[e])
    end
    -- The journal first: its checkpoint must not expire before it does.
    if ttl then
      call('PEXPIRE', key, ttl)
    end
    local position = it.position
    if position == 0 then
      call('DEL', it.checkpoint)
    elseif position and ttl then
      call('SET', it.checkpoint, position, 'PX', ttl)
    elseif position then
      local at = call('PEXPIRETIME', key)
      if at > 0 then
        call('SET', it.checkpoint, position, 'PXAT', at)
      else
        call('SET', it.checkpoint, position)
      end
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
      call('DEL', key)
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
    local member = args[it.at + 2]
    if args[it.at + 1] == '0' or call('ZSCORE', key, member) then
      call('ZADD', key, args[it.at + 3], member)
      call('HSET', it.values, member, args[it.at + 4])
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
