"""The eight benchmarks that Ruan et al. 2024 take components of."""

SCORES = ["MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"]
