"""Adapters: the ports on DynamoDB, SQS, EventBridge Scheduler and Lambda."""
