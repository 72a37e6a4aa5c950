-- How many jobs are where: due, delayed, running, dead. A claim that ran out is due again.

local later = format('(%d', now)
local running = call('ZCOUNT', RUNNING, later, '+inf')
local waiting = call('ZCOUNT', DUE, later, '+inf')
local due = call('ZCARD', DUE) - waiting
return format('+%d %d %d %d ', due, waiting - running, running, call('ZCARD', DEAD))
