"""Engines that run steps on Amazon EMR: on EC2, and Serverless."""
