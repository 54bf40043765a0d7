"""
What SageMaker's instances cost an hour: an estimate.

On-demand prices in us-east-1, in US dollars, as they were published in 2025 on
https://aws.amazon.com/sagemaker/ai/pricing/ and in the price list of AWS's own samples,
https://github.com/aws-samples/foundation-model-benchmarking-tool (``src/fmbench/configs/pricing.yml``). Training and
hosting cost the same for these types. Storage, traffic, spot and savings plans are left out, and other regions differ.
"""

PRICED_IN = "us-east-1, 2025"

USD_PER_HOUR = {
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
    "ml.m5.4xlarge": 0.922,
    "ml.c5.large": 0.102,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c5.4xlarge": 0.816,
    "ml.g4dn.xlarge": 0.7364,
    "ml.g4dn.2xlarge": 0.94,
    "ml.g4dn.4xlarge": 1.505,
    "ml.g4dn.8xlarge": 2.72,
    "ml.g4dn.12xlarge": 4.89,
    "ml.g5.xlarge": 1.408,
    "ml.g5.2xlarge": 1.515,
    "ml.g5.12xlarge": 7.09,
    "ml.g5.24xlarge": 10.18,
    "ml.g5.48xlarge": 20.36,
    "ml.p3.2xlarge": 3.825,
    "ml.p3.8xlarge": 14.688,
    "ml.p4d.24xlarge": 37.688,
}


def usd_per_hour(instance_type: str, count: int) -> float | None:
    """Return what some instances cost an hour; None for a type that is not in the table."""
    price = USD_PER_HOUR.get(instance_type)
    return None if price is None else price * count
