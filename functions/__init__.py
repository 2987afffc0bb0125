"""Handlers of the Lambda functions in ``template.yaml``."""
