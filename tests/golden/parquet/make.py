#!/usr/bin/env python3
"""Writes the Parquet fixtures of tests/unit/formats/test_parquet.c, and beside each the rows that a
reader should find, as JSON Lines.  Nothing at test time runs this.

    pip install pyarrow==26.0.1 && python make.py
"""

import datetime
import decimal
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent

messages_type = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
ROWS = [
    {
        "id": i,
        "prompt": ["one", "two", "", "four – ☃", None][i % 5],
        "messages": [
            None,
            [],
            [{"role": "user", "content": "hi"}],
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b" * i}],
            [{"role": "user", "content": None}, None],
        ][i % 5],
        "score": [0.5, None, -3.25, 1e300, 2.0][i % 5],
        "small": [1.5, None, 0.25][i % 3],
        "label": [True, False, None][i % 3],
        "nested": [[[1, 2], []], [], None, [None, [3, None]]][i % 4],
        "info": [{"split": "train", "index": i, "deep": {"x": [i, i + 1]}}, None][i % 7 == 6],
    }
    for i in range(40)
]
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("prompt", pa.string()),
        ("messages", messages_type),
        ("score", pa.float64()),
        ("small", pa.float32()),
        ("label", pa.bool_()),
        ("nested", pa.list_(pa.list_(pa.int32()))),
        (
            "info",
            pa.struct(
                [
                    ("split", pa.string()),
                    ("index", pa.int32()),
                    ("deep", pa.struct([("x", pa.list_(pa.int64()))])),
                ]
            ),
        ),
    ]
)


def drop_nulls(value):
    """Members of structs that are null are left out, nulls in lists stay."""
    if isinstance(value, dict):
        return {k: drop_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [drop_nulls(v) for v in value]
    return value


def write(name, table, expected=None, rows_name=None, **options):
    pq.write_table(table, HERE / f"{name}.parquet", store_schema=False, **options)
    rows = expected if expected is not None else table.to_pylist()
    with open(HERE / f"{rows_name or name}.jsonl", "w", encoding="utf-8") as out:
        for row in rows:
            row = {k: drop_nulls(v) for k, v in row.items()}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


table = pa.Table.from_pylist(ROWS, schema=SCHEMA)
for compression in ("none", "snappy", "gzip", "zstd"):
    for page in ("1.0", "2.0"):
        for dictionary in (True, False):
            write(
                f"nested_{compression}_v{page[0]}_{'dictionary' if dictionary else 'plain'}",
                table,
                rows_name="nested",
                compression=compression,
                data_page_version=page,
                use_dictionary=dictionary,
            )
# Many small pages and row groups.
write("groups", table, rows_name="nested", compression="snappy", row_group_size=7, data_page_size=1)
write("empty", table.slice(0, 0), compression="snappy")

flat = pa.table(
    {
        "i32": pa.array([1, -5, 2**31 - 1, -(2**31), 7] * 30, pa.int32()),
        "i64": pa.array([0, 10**15, -(10**15), 3, None] * 30, pa.int64()),
        "u32": pa.array([0, 2**32 - 1, 5, 6, 7] * 30, pa.uint32()),
        "f": pa.array([0.5, -1.25, 3.0, 0.0, 8.0] * 30, pa.float32()),
        "d": pa.array([0.1, -2.5, 1e-300, 7.0, 3.0] * 30, pa.float64()),
        "s": pa.array([f"prefix-{i // 3}-{i}" for i in range(150)], pa.string()),
        "b": pa.array([i % 3 == 0 for i in range(150)], pa.bool_()),
    }
)
write(
    "delta",
    flat,
    compression="none",
    use_dictionary=False,
    column_encoding={
        "i32": "DELTA_BINARY_PACKED",
        "i64": "DELTA_BINARY_PACKED",
        "u32": "DELTA_BINARY_PACKED",
        "f": "BYTE_STREAM_SPLIT",
        "d": "BYTE_STREAM_SPLIT",
        "s": "DELTA_BYTE_ARRAY",
        "b": "RLE",
    },
    data_page_version="2.0",
)
write(
    "delta_length",
    flat.select(["s", "i32"]),
    compression="snappy",
    use_dictionary=False,
    column_encoding={"s": "DELTA_LENGTH_BYTE_ARRAY", "i32": "BYTE_STREAM_SPLIT"},
)

# Values whose JSON is another than pyarrow's Python value.
odd = pa.table(
    {
        "amount": pa.array([decimal.Decimal("1.25"), decimal.Decimal("-0.50")], pa.decimal128(9, 2)),
        "large": pa.array(["a", "b"], pa.large_string()),
        "day": pa.array([datetime.date(1970, 1, 3), None], pa.date32()),
        "nan": pa.array([float("nan"), 1.0]),
        "bytes": pa.array([b"ok", b"\xff\x00x"], pa.binary()),
        "tags": pa.array([[("k", 1), ("l", 2)], None], pa.map_(pa.string(), pa.int32())),
    }
)
write(
    "odd",
    odd,
    expected=[
        {"amount": 1.25, "large": "a", "day": 2, "nan": None, "bytes": "ok",
         "tags": [{"key": "k", "value": 1}, {"key": "l", "value": 2}]},
        {"amount": -0.5, "large": "b", "day": None, "nan": 1.0, "bytes": "\ufffd\u0000x", "tags": None},
    ],
    compression="snappy",
)
# A codec that is not read.
pq.write_table(flat.select(["i32"]), HERE / "brotli.parquet", compression="brotli", store_schema=False)
print(pa.__version__)
