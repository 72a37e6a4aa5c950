-- ARGV: id. Puts a dead letter back as if it were new.

local id = ARGV[1]
local job, corrupt = load(id)
if corrupt then
  return corrupt
end
if not job or call('ZREM', DEAD, id) == 0 then
  return NO
end
job.attempts, job.reason, job.receipt = 0, '', 0
save(id, job)
call('ZADD', DUE, now, id)
return YES
