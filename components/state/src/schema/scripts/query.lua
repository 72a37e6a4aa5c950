-- Answers queries on a scope as of one moment, after the writes of the same call if there are any.
--
-- The last fragment of a script: it returns the reply.

a = a + 1
for _ = 1, tonumber(args[a]) do
  local op, key = args[a + 1], keys[k + 1]

  if op == 'document' then
    local raw = string_at(key)
    if raw then
      out[n + 1] = format('D%d ', #raw)
      out[n + 2] = raw
      n = n + 2
      large = large or #raw >= LARGE
    else
      n = n + 1
      out[n] = 'D-1 '
    end
    k, a = k + 1, a + 1

  elseif op == 'journal' then
    local from, position, limit = args[a + 2], tonumber(args[a + 3]), args[a + 4]
    local known = state[key]
    local length = known and known.length or call('XLEN', key)
    local checkpoint = 0
    if length > 0 then
      checkpoint = tonumber(string_at(keys[k + 2]) or 0)
    end
    if from == 'checkpoint' then
      position = checkpoint
    elseif from == 'last' then
      position = math.max(length - position, 0)
    end
    local entries = {}
    if position < length and limit ~= '0' then
      entries = call('XRANGE', key, format('%d-0', position + 1), '+', 'COUNT', limit)
    end
    n = n + 1
    out[n] = format('J%d %d %d %d ', length, checkpoint, position, #entries)
    for i = 1, #entries do
      local fields = entries[i][2]
      if fields[1] ~= 'e' then
        return corrupt(key)
      end
      out[n + 1] = format('%d ', #fields[2])
      out[n + 2] = fields[2]
      n = n + 2
      large = large or #fields[2] >= LARGE
    end
    k, a = k + 2, a + 4

  elseif op == 'counter' then
    local raw = string_at(key)
    n = n + 1
    if raw then
      local value = tonumber(raw)
      if not value then
        return corrupt(key)
      end
      out[n] = format('C%d %d ', value, call('PTTL', key))
    else
      out[n] = 'C0 -1 '
    end
    k, a = k + 1, a + 1

  elseif op == 'lease' then
    local epoch, expires, holder = lease_of(string_at(key))
    if not epoch then
      return corrupt(key)
    end
    n = n + 1
    out[n] = lease_field(epoch, expires, holder)
    k, a = k + 1, a + 1

  else
    -- 'index' (order, from, to, offset, limit): `from` is the lowest score when ascending, else the highest.
    local found
    if args[a + 2] == 'descending' then
      found = call('ZRANGE', key, args[a + 3], args[a + 4], 'BYSCORE', 'REV', 'LIMIT', args[a + 5], args[a + 6], 'WITHSCORES')
    else
      found = call('ZRANGE', key, args[a + 3], args[a + 4], 'BYSCORE', 'LIMIT', args[a + 5], args[a + 6], 'WITHSCORES')
    end
    local members = #found / 2
    n = n + 1
    out[n] = format('X%d ', members)
    -- In pieces, because Lua's stack bounds the arguments of one call.
    for first = 1, members, 1000 do
      local last = math.min(first + 999, members)
      local names = {}
      for i = first, last do
        names[i - first + 1] = found[2 * i - 1]
      end
      local values = call('HMGET', keys[k + 2], unpack(names))
      for i = first, last do
        local name, value = names[i - first + 1], values[i - first + 1] or ''
        out[n + 1] = format('%d %d ', found[2 * i], #name)
        out[n + 2] = name
        out[n + 3] = format('%d ', #value)
        out[n + 4] = value
        n = n + 4
      end
    end
    k, a = k + 2, a + 6
  end
end

if large then
  return out
end
return table.concat(out)
