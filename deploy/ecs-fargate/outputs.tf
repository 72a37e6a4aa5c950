output "load_balancer" {
  description = "Let the name that the certificate is for lead here."
  value       = aws_lb.this.dns_name
}

output "task_security_group_id" {
  description = "What the Redis has to let in, on its port."
  value       = aws_security_group.task.id
}
