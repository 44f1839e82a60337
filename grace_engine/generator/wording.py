"""In what words is a chained-arithmetic problem told and solved?"""

from __future__ import annotations

from dataclasses import dataclass

NAMES = ("Mia", "Ben", "Ada", "Omar", "Lena", "Raj", "Ivy", "Tom", "Zoe", "Kofi", "Nina", "Hugo")

# Every step template holds {eq}, which becomes "7 + 5 = 12": the arithmetic of any step can be read
# back with one regular expression, whatever the sentence around it.
PLAIN_STEPS = ("{eq}", "{eq}.", "So {eq}.", "Now {eq}.", "Next, {eq}.", "That makes {eq}.")

# Things that have nothing to do with the problem; {eq} is a true equation about other numbers.
IRRELEVANT_STEPS = (
    "By the way, the hall has {eq} chairs.",
    "A dog on the street barked {eq} times.",
    "The clock on the wall struck {eq} times.",
    "It rained for {eq} days last spring.",
    "The neighbour's house has {eq} windows.",
    "A film that evening lasted {eq} minutes.",
    "The cat slept for {eq} hours that week.",
    "The old bridge has {eq} stone arches.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """A small world in which numbers change.

    Attributes:
        name: Identifies the theme.
        openings: Sentences that give the starting number as {a}.
        clauses: For each operation the sentences that tell a change by {n}.
        questions: Sentences that ask for the final number.
        steps: For each operation the sentences that solve a change; each holds {eq}.
    """

    name: str
    openings: tuple[str, ...]
    clauses: dict[str, tuple[str, ...]]
    questions: tuple[str, ...]
    steps: dict[str, tuple[str, ...]]


THEMES: tuple[Theme, ...] = (
    Theme(
        name="numbers",
        openings=("Start with {a}.", "Begin with the number {a}.", "Take the number {a}."),
        clauses={
            "+": ("Add {n}.", "Then add {n}.", "Increase it by {n}."),
            "-": ("Subtract {n}.", "Then take away {n}.", "Decrease it by {n}."),
            "*": ("Multiply by {n}.", "Then multiply it by {n}."),
            "/": ("Divide by {n}.", "Then divide it by {n}."),
        },
        questions=("What is the result?", "What number do you get?", "What is it now?"),
        steps={
            "+": ("Adding {n} gives {eq}.", "Add {n}: {eq}."),
            "-": ("Subtracting {n} gives {eq}.", "Take away {n}: {eq}."),
            "*": ("Multiplying by {n} gives {eq}.", "Multiply by {n}: {eq}."),
            "/": ("Dividing by {n} gives {eq}.", "Divide by {n}: {eq}."),
        },
    ),
    Theme(
        name="money",
        openings=("{who} has {a} dollars.", "{who} starts the week with {a} dollars."),
        clauses={
            "+": ("{who} earns {n} dollars.", "An aunt gives {who} {n} dollars."),
            "-": ("{who} spends {n} dollars.", "{who} buys a book for {n} dollars."),
            "*": ("A prize makes the money {n} times as much.",),
            "/": ("{who} shares the money equally among {n} people and keeps one share.",),
        },
        questions=("How many dollars does {who} have now?", "How much money is left?"),
        steps={
            "+": (
                "After getting {n} dollars {who} has {eq} dollars.",
                "{who} now has {eq} dollars.",
            ),
            "-": (
                "After paying {n} dollars {who} has {eq} dollars.",
                "There are {eq} dollars left.",
            ),
            "*": ("The prize makes it {eq} dollars.", "{n} times as much is {eq} dollars."),
            "/": ("One share of {n} is {eq} dollars.", "{who} keeps {eq} dollars."),
        },
    ),
    Theme(
        name="bus",
        openings=("A bus leaves with {a} people.", "There are {a} people on a bus."),
        clauses={
            "+": ("{n} people get on.", "At the next stop {n} people get on."),
            "-": ("{n} people get off.", "At the next stop {n} people get off."),
        },
        questions=("How many people are on the bus?", "How many people are on it now?"),
        steps={
            "+": ("With {n} more people there are {eq} people.", "{n} get on, so {eq} people."),
            "-": ("Without {n} people there are {eq} people.", "{n} get off, so {eq} people."),
        },
    ),
    Theme(
        name="collection",
        openings=("{who} has a box of {a} stickers.", "{who} collects stickers and has {a}."),
        clauses={
            "+": ("{who} finds {n} more stickers.", "A friend gives {who} {n} stickers."),
            "-": ("{who} gives away {n} stickers.", "{who} loses {n} stickers."),
            "*": ("A swap leaves {who} with {n} times as many stickers.",),
            "/": ("{who} sorts them into {n} equal piles and keeps one.",),
        },
        questions=("How many stickers does {who} have?", "How many stickers are in the box?"),
        steps={
            "+": ("With {n} new stickers {who} has {eq}.", "The box holds {eq} stickers."),
            "-": ("Without {n} stickers {who} has {eq}.", "That leaves {eq} stickers."),
            "*": ("{n} times as many is {eq} stickers.", "After the swap {who} has {eq}."),
            "/": ("Each of {n} piles has {eq} stickers.", "One pile is {eq} stickers."),
        },
    ),
    Theme(
        name="kitchen",
        openings=("A bakery has {a} rolls.", "{who} bakes {a} rolls."),
        clauses={
            "+": ("Another tray gives {n} more rolls.", "{who} bakes another {n} rolls."),
            "-": ("Guests eat {n} rolls.", "{who} sells {n} rolls."),
            "*": ("For a party the recipe is made {n} times as large.",),
            "/": ("The rolls are packed into {n} equal bags and one bag stays.",),
        },
        questions=("How many rolls are there?", "How many rolls does the kitchen have?"),
        steps={
            "+": ("With {n} more rolls there are {eq} rolls.", "The kitchen has {eq} rolls."),
            "-": ("When {n} rolls are gone, {eq} rolls are left.", "That leaves {eq} rolls."),
            "*": ("{n} times the rolls is {eq} rolls.", "The party needs {eq} rolls."),
            "/": ("Each of the {n} bags has {eq} rolls.", "One bag holds {eq} rolls."),
        },
    ),
    Theme(
        name="game",
        openings=("{who} begins a game with {a} points.", "The score is {a} points."),
        clauses={
            "+": ("{who} wins {n} points.", "A good move adds {n} points."),
            "-": ("{who} loses {n} points.", "A penalty costs {n} points."),
            "*": ("A bonus multiplies the score by {n}.",),
            "/": ("A trap divides the score by {n}.",),
        },
        questions=("What is the final score?", "How many points does {who} end with?"),
        steps={
            "+": ("{n} points more makes {eq} points.", "The score rises to {eq}."),
            "-": ("{n} points less makes {eq} points.", "The score falls to {eq}."),
            "*": ("The bonus of {n} makes {eq} points.", "{n} times the score is {eq}."),
            "/": ("The trap of {n} leaves {eq} points.", "The score shrinks to {eq}."),
        },
    ),
)
