"""Benchmark scores of public language models, one row per model."""

from __future__ import annotations

from functools import partial

import pandas as pd

from scaling_jax.datasets._catalog import Dataset, Table
from scaling_jax.datasets._fetch import Files

COMMIT = "4d6e1e43fd2635d04654aa77d1df9d5266ea0382"
FOLDER = f"ryoungj/ObsScaling/{COMMIT}/eval_results"

# Released after the paper; the source registered its predictions for them beforehand.
PREREGISTERED = frozenset(
    f"{maker}/{model}"
    for maker, models in {
        "meta-llama": ("Meta-Llama-3.1-405B-FP8", "Meta-Llama-3.1-70B", "Meta-Llama-3.1-8B"),
        "Qwen": ("Qwen1.5-110B", "Qwen2-72B", "Qwen2-57B-A14B", "Qwen2-7B", "Qwen2-1.5B", "Qwen2-0.5B"),
        "mistralai": ("Mixtral-8x22B-v0.1", "Mistral-Nemo-Base-2407"),
        "deepseek-ai": ("DeepSeek-V2", "DeepSeek-Coder-V2-Base"),
        "01-ai": ("Yi-1.5-34B", "Yi-1.5-9B", "Yi-1.5-6B"),
        "google": ("gemma-2-27b", "gemma-2-9b", "gemma-2-2b"),
        "ai21labs": ("Jamba-v0.1",),
    }.items()
    for model in models
)
# Families the paper evaluates itself; those without a public training-token count come last.
WITH_FLOPS = (
    "Llama", "Llama-2", "Llama-3", "Llama-3.1", "Qwen", "Qwen1.5", "Yi", "Yi-1.5", "Gemma", "Gemma-2",
    "Falcon", "Phi", "Pythia", "BLOOM", "GPT-Neo/J", "OPT", "MPT", "XGLM", "CodeLlama", "StarCoder",
    "StarCoder2", "DeepSeek-Coder", "DeepSeek-V2", "DeepSeek-Coder-V2", "Jamba",
)  # fmt: skip
WITHOUT_FLOPS = ("Mistral", "Mixtral", "Qwen2")


def read(files: Files, file: str) -> pd.DataFrame:
    table = pd.read_csv(files.one(f"{FOLDER}/{file}.csv"))
    # -1 stands for missing, except in chance-corrected scores: a score of 0 gives it at chance 1/2.
    for column in table.columns.astype(str):
        if "norm" not in column and pd.api.types.is_numeric_dtype(table[column]):
            table[column] = table[column].mask(table[column] == -1)
    table = table.rename(columns={"Model": "model", "Model Family": "family"})
    if "family" in table:
        scaled = {"n_params": ("Model Size (B)", 1e9), "tokens": ("Pretraining Data Size (T)", 1e12)}
        scaled["flops"] = ("FLOPs (1E21)", 1e21)
        for place, (name, (column, unit)) in enumerate(scaled.items(), start=2):
            table.insert(place, name, table.pop(column).astype(float) * unit)
    return table


def read_base(files: Files) -> pd.DataFrame:
    table = read(files, "base_llm_benchmark_eval")
    preregistered = table["model"].isin(PREREGISTERED)
    table["in_base_pool_77"] = table["family"].isin(WITH_FLOPS + WITHOUT_FLOPS) & ~preregistered
    table["preregistered_test"] = preregistered
    table["family_has_flops"] = table["family"].isin(WITH_FLOPS)
    return table


MODEL = {"model": "model name"}
DESCRIBED = MODEL | {
    "family": "model family; models of one family are not independent rows",
    "n_params": "parameters as announced by the maker, active ones for mixtures of experts [parameters]",
    "tokens": "training tokens as announced by the maker [tokens]",
    "flops": "training compute 6ND [FLOP]",
}
SCORES = dict.fromkeys(
    ("MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"),
    "accuracy, or the benchmark's own score [fraction]",
)
FLAGS = {
    "in_base_pool_77": "the 77 models of the paper's first version",
    "preregistered_test": "20 models released later, predictions registered beforehand",
    "family_has_flops": "the family's training compute is public",
}
EMERGENT = {
    "parsinlu_qa_2_acc": "Persian QA, 2-shot, 4 choices (chance 0.25) [fraction]",
    "word_unscrambling_2_exact_match": "word unscrambling, 2-shot [fraction]",
    "ipa_transliterate_2_exact_match": "IPA transliteration, 2-shot [fraction]",
    "ipa_transliterate_2_bleu": "IPA transliteration, 2-shot [BLEU, 0 to 100]",
    "arithmetic_*": "arithmetic, 2-shot: 2 or 3 digits, addition, subtraction or multiplication [fraction]",
}
LEADERBOARD = {"leaderboard_*": "Open LLM Leaderboard v2 score [fraction]"}
POST_TRAINING = {
    "gsm8k_*": "GSM8K by prompting method and answer extraction [fraction]",
    "bbh_*": "BBH by prompting method and answer extraction; "
    "`norm` is chance-corrected, may be negative [fraction]",
}
INSTRUCT = SCORES | {
    "Arena-Elo": "Arena Elo scaled to [0, 1]",
    "MTBench": "MT-Bench scaled to [0, 1]",
    "Winogrande": "accuracy [fraction]",
}
AGENTS = {
    "ABench-OA": "AgentBench overall score [0 to 10]",
    "ABench-*": "AgentBench part [0 to 100]",
    "ABoard-*": "AgentBoard progress (PR) or success (SR) rate [0 to 100]",
}


def _table(file: str, rows: int, columns: dict[str, str]) -> Table:
    return Table(read=partial(read, file=file), rows=rows, columns=columns)


DATASET = Dataset(
    name="observational",
    what="benchmark scores of 148 public base models with parameters, tokens and compute; 6 further tables",
    source="https://github.com/ryoungj/ObsScaling",
    commit=COMMIT,
    licence="Apache-2.0",
    citation=(
        "Ruan, Maddison, Hashimoto (2024), Observational Scaling Laws and the Predictability of "
        "Language Model Performance, NeurIPS 2024, arXiv:2405.10938"
    ),
    size="28 kB (270 kB for all tables)",
    tables={
        "base": Table(read=read_base, rows=148, columns=DESCRIBED | SCORES | FLAGS),
        "base_sub_10b": _table("base_llm_benchmark_eval_sub_10b", 92, DESCRIBED | SCORES),
        "emergent": _table("base_llm_emergent_capability_eval", 84, MODEL | EMERGENT),
        "leaderboard_v2": _table("base_llm_leaderboard_v2_eval", 72, MODEL | LEADERBOARD),
        "post_training": _table("base_llm_post_training_eval", 96, MODEL | POST_TRAINING),
        "instruct": _table("instruct_llm_benchmark_eval", 27, DESCRIBED | INSTRUCT),
        "agents": _table("instruct_llm_agent_eval", 27, MODEL | AGENTS),
    },
    notes=(
        "Winograd is Winogrande. Tables join on `model`, except instruct and agents, which hold chat models.",
        "cerebras/btlm-3b-8k-base: upstream says 627e12 tokens, its maker 627e9; "
        "tokens and flops are kept as they are.",
        "-1 upstream means missing and is NaN here; "
        "in chance-corrected (`norm`) columns -1 is a real value and stays.",
    ),
)
