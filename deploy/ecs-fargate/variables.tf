variable "region" {
  description = "Where everything is."
  type        = string
}

variable "name" {
  description = "What everything is called."
  type        = string
  default     = "anyturn"
}

variable "image" {
  description = "The image, such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com/anyturn:0.1.0."
  type        = string
}

variable "vpc_id" {
  description = "The network, in which the Redis is too."
  type        = string
}

variable "load_balancer_subnet_ids" {
  description = "Public subnets in at least two zones, for the load balancer."
  type        = list(string)

  validation {
    condition     = length(var.load_balancer_subnet_ids) >= 2
    error_message = "A load balancer needs subnets in at least two zones."
  }
}

variable "task_subnet_ids" {
  description = "Subnets for the tasks: private ones with a NAT gateway, or public ones with assign_public_ip."
  type        = list(string)
}

variable "assign_public_ip" {
  description = "Whether tasks get public addresses, which they need for the registry and the model's provider in subnets without a NAT gateway."
  type        = bool
  default     = false
}

variable "certificate_arn" {
  description = "The certificate of the load balancer, in AWS Certificate Manager."
  type        = string
}

variable "secrets" {
  description = "Environment variables whose values are secret, and the secrets in Secrets Manager that hold them."
  type        = map(string)

  validation {
    condition     = contains(keys(var.secrets), "REDIS_URL")
    error_message = "REDIS_URL is required: tasks have no disk that lasts."
  }

  validation {
    condition     = anytrue([for name in ["JWT_SECRET", "API_KEYS"] : contains(keys(var.secrets), name)])
    error_message = "JWT_SECRET or API_KEYS is required: strangers can connect."
  }
}

variable "environment" {
  description = "Other environment variables, such as LLM_PROVIDER."
  type        = map(string)
  default     = { LLM_PROVIDER = "auto" }
}

variable "cpu" {
  description = "CPU units of a task: 1024 are one vCPU."
  type        = number
  default     = 512
}

variable "memory" {
  description = "Memory of a task, in MiB."
  type        = number
  default     = 1024
}

variable "minimum" {
  description = "How many tasks there are at least."
  type        = number
  default     = 1
}

variable "maximum" {
  description = "How many tasks there are at most."
  type        = number
  default     = 10
}

variable "on_demand" {
  description = "How many tasks run on capacity that is not taken away; the others run on Spot."
  type        = number
  default     = 1
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30
}
