"""People's names in a text: those that a cue leads to, those that lists know, and their later mentions.

No list is complete and no cue certain, so the rules lean towards finding too much.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from triage.redaction_kinds import PersonalData, PersonalDataKind
from triage.redaction_words import (
    BEING_VERBS,
    CLOSINGS,
    FIRST_NAMES,
    FUNCTION_WORDS,
    GREETINGS,
    HOPEFUL_NAMES,
    KIN,
    LABELS,
    LABELS_OF_THINGS,
    NAMES_THAT_ARE_WORDS,
    NOT_DOTTED_INITIALS,
    NOT_INITIALS,
    NOT_NAMES,
    ORDINARY_WORDS,
    PARTICLES,
    PERSON_PREPS,
    PERSON_THINGS,
    PERSON_VERBS,
    PLACES,
    PLACES_THAT_ARE_SURNAMES,
    ROLES,
    SURNAMES,
    SURNAMES_THAT_ARE_WORDS,
    THINGS_CALLED,
    TITLES,
    TITLES_THAT_ARE_WORDS,
)

_TOKEN = re.compile(r"(?:[A-Z]\.[ ]?){1,3}[A-Z]\.?(?![\w'’])|[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_POSSESSIVE = re.compile(r"(?<=\w)['’][sS]$")
_SENTENCE_END = re.compile(r"[.!?:;\n•*>\x00]|^\s*[-–—]")
_NAME_GAP = re.compile(r"\.?[ \t]{1,2}|\.")
_TITLE_GAP = re.compile(r"\.?[ \t]{0,2}(?:\d{2,6}[ \t])?")
_CUE_GAP = re.compile(r"[ \t]?[,:(–—-]?[ \t]{0,2}[\"'‘’“(]?")
_LABEL_GAP = re.compile(r"[ \t]*(?:\([^)\n]{0,30}\))?[ \t]*[:=–—-][ \t]*\n?[ \t]*|[ \t]*\t[ \t]*")
_LIST_GAP = re.compile(r"[ \t]*(?:[,;/&+]|\n)[ \t]*(?:\x00+[ \t]*)?")
_AGE = re.compile(
    r"[ ]?[,(][ ]?(?:aged?[ ]|age[: ]{1,2}|s?he['’]?s[ ]|now[ ])?(\d{2,3})(?=[ ]?(?:[,).;]|y|$))"
)
_HANDLE = re.compile(r"(?<![\w@.])@([A-Za-z]+(?:[._-][A-Za-z]+){0,2})\b(?!@)")
_KNOWN_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_ANGLE = re.compile(r"<[^>]*>|\S+@\S+")

_SURE, _CUED, _LISTED, _LIKELY, _CARRIED = 0.95, 0.9, 0.8, 0.6, 0.75
_WORDS_TOO = FUNCTION_WORDS | NOT_NAMES | SURNAMES_THAT_ARE_WORDS | NAMES_THAT_ARE_WORDS
_MOST_WORDS = 4
_BEFORE_PLACES = frozenset(["at", "in", "near", "from", "into", "to", "the", "of", "via", "on", "st"])
_PLACE_ENDINGS = (
    "leigh",
    "ley",
    "dene",
    "bank",
    "view",
    "wood",
    "field",
    "side",
    "land",
    "ham",
    "bury",
    "ford",
    "mere",
    "house",
    "care",
    "lea",
    "hurst",
    "croft",
    "dale",
    "brook",
    "gate",
    "ton",
    "mouth",
    "port",
    "worth",
    "wick",
    "combe",
    "bridge",
    "pool",
    "haven",
    "crest",
    "mount",
    "stead",
    "shire",
    "borough",
    "holme",
    "thorpe",
    "glen",
    "tive",
    "tion",
    "tech",
)
_LONG_NAME = 6
_LONGEST_NAME = 30


@dataclass(frozen=True, slots=True)
class _Word:
    """One word: `capital` says that its capital means something here, `plain` that small letters mean nothing."""

    text: str
    low: str
    start: int
    end: int
    gap: str
    capital: bool
    plain: bool
    first: bool
    possessive: bool

    @property
    def initials(self) -> bool:
        return len(self.text) == 1 or "." in self.text

    @property
    def ordinary(self) -> bool:
        return self.low in ORDINARY_WORDS or (
            self.low.endswith("s") and len(self.low) > 4 and self.low[:-1] in ORDINARY_WORDS
        )


def find_names(text: str, known_names: Sequence[str] = ()) -> list[PersonalData]:
    """The names of people in the text, in order, without overlaps."""
    finder = _Finder(text)
    finder.find_cued()
    finder.find_listed()
    finder.find_in_lists()
    finder.carry(known_names)
    return finder.found()


def _read(text: str) -> list[_Word]:
    shouted, small = _lines_without_case(text)
    words: list[_Word] = []
    before = line = 0
    for match in _TOKEN.finditer(text):
        raw, start, end = match.group(), match.start(), match.end()
        owner = _POSSESSIVE.search(raw)
        if owner:
            raw, end = raw[: owner.start()], end - 2
        gap = text[before:start]
        while line < len(shouted) and shouted[line][1] <= start:
            line += 1
        plain = small or (line < len(shouted) and shouted[line][0] <= start)
        upper = raw[0].isupper()
        first_in_sentence = not words or (
            _SENTENCE_END.search(gap) is not None and not _abbreviated(words[-1], gap)
        )
        words.append(
            _Word(raw, raw.lower().replace("’", "'"), start, end, gap, upper and not plain, plain,
                  first_in_sentence, owner is not None)
        )  # fmt: skip
        before = end
    return words


def _abbreviated(word: _Word, gap: str) -> bool:
    return gap.startswith(".") and "\n" not in gap and (word.low in TITLES or word.initials)


def _lines_without_case(text: str) -> tuple[list[tuple[int, int]], bool]:
    """The lines that are shouted, and whether the whole text goes without capitals."""
    shouted, at, upper_words, lower_words = [], 0, 0, 0
    for line in text.splitlines(keepends=True):
        words = re.findall(r"[^\W\d_]{2,}", line)
        loud = sum(word.isupper() for word in words)
        if len(words) >= 3 and loud > 0.75 * len(words):
            shouted.append((at, at + len(line)))
        else:
            upper_words += sum(word[0].isupper() for word in words)
            lower_words += sum(word[0].islower() for word in words)
        at += len(line)
    # A form's heading or a lone "I" does not make a writer of small letters use capitals.
    return shouted, upper_words <= 0.04 * lower_words


class _Finder:
    """Marks which words of one text are names; each step builds on the ones before."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = _read(text)
        self.spans: dict[int, tuple[int, float]] = {}
        self.taken: set[int] = set()
        self.handles: list[PersonalData] = []

    # What a word may be.

    def _may_start(self, at: int, *, sure: bool) -> bool:
        """Whether a name may begin there: behind a sure cue any capital will do."""
        if not 0 <= at < len(self.words) or at in self.taken:
            return False
        word = self.words[at]
        if word.low in NOT_NAMES or word.low in TITLES:
            return False
        if word.initials:
            return sure and word.text not in "Ia" and self._initials(word)
        if word.plain or not word.capital:
            known = word.low in FIRST_NAMES or word.low in SURNAMES
            return known or (word.plain and not word.ordinary and len(word.low) > 2 and sure)
        if word.low in FUNCTION_WORDS:
            return sure and word.low in NAMES_THAT_ARE_WORDS
        if sure:
            return not (word.low in PLACES and word.low not in PLACES_THAT_ARE_SURNAMES)
        if word.text.isupper() and len(word.text) > 3:
            # One shouted word in a sentence is stress, not a name.
            return word.low in FIRST_NAMES or word.low in SURNAMES
        return not word.ordinary or word.low in NAMES_THAT_ARE_WORDS or word.low in FIRST_NAMES

    def _initials(self, word: _Word) -> bool:
        bare = word.text.replace(".", "").replace(" ", "").lower()
        return bare not in (NOT_DOTTED_INITIALS if "." in word.text else NOT_INITIALS)

    def _goes_on(self, at: int, *, sure: bool) -> bool:
        """Whether the word there may be a further part of the name before it."""
        word, before = self.words[at], self.words[at - 1]
        if before.possessive or not _NAME_GAP.fullmatch(word.gap) or at in self.taken:
            return False
        if "." in word.gap and not before.initials:
            return False
        if word.low in NOT_NAMES or word.low in TITLES:
            return False
        if word.initials:
            return word.text.isupper() and word.text != "I"
        if word.plain:
            listed = word.low in SURNAMES or word.low in FIRST_NAMES
            return listed or (not word.ordinary and len(word.low) > 2)
        if not word.capital:
            return False
        if word.low in PLACES:
            return sure and word.low in PLACES_THAT_ARE_SURNAMES
        return not word.ordinary or word.low in SURNAMES_THAT_ARE_WORDS or word.low in NAMES_THAT_ARE_WORDS

    def _extend(self, at: int, *, sure: bool) -> int:
        """The end (a word's number) of the name that begins there."""
        end = at + 2 if self._dotted(at) else at + 1
        while end < len(self.words) and end - at < _MOST_WORDS:
            small = end
            while small < min(end + 2, len(self.words) - 1) and self._particle(small):
                small += 1
            if self._goes_on(end, sure=sure) and not self._particle(end):
                end += 1
            elif small > end and small < len(self.words) and self._goes_on(small, sure=sure):
                end = small + 1
            else:
                break
        return end

    def _particle(self, at: int) -> bool:
        word = self.words[at]
        return word.low in PARTICLES and bool(_NAME_GAP.fullmatch(word.gap))

    def _is_place(self, at: int, end: int) -> bool:
        """Whether the words are part of the name of a service, a street or a body."""
        if at and self.words[at - 1].low in {"st", "saint", "ste"} and self.words[at].gap in {" ", ". "}:
            return True
        if end >= len(self.words):
            return False
        word, last = self.words[end], self.words[end - 1]
        if word.gap not in {" ", "-"} or word.low not in PLACES:
            return False
        if last.possessive and (not word.capital or word.plain):
            return False
        if word.capital:
            return True
        following = self.words[end + 1].low if end + 1 < len(self.words) else ""
        if word.low in {"care", "nursing", "residential"}:
            return following in {"home", "homes", "centre", "group", "ltd"}
        strict = {
            "house",
            "court",
            "lodge",
            "ward",
            "hospice",
            "surgery",
            "hospital",
            "grange",
            "manor",
            "road",
            "street",
        }
        return word.low in strict

    def _take(self, at: int, score: float, *, sure: bool = False) -> int:
        """Marks the name that begins there and says where it ends; nothing when it is a place's."""
        end = self._extend(at, sure=sure)
        while end > at + 1 and self.words[end - 1].low in PLACES and self._is_place(at, end):
            end -= 1
        if self._is_place(at, end):
            return at
        self.spans[at] = (end, score)
        self.taken.update(range(at, end))
        return end

    # Cues.

    def find_cued(self) -> None:
        """Names behind a title, a label, a role, an introduction, or under a letter."""
        self._handles()
        for at, word in enumerate(self.words):
            if word.low in TITLES:
                self._titled(at)
        self._signatures()
        for at in range(len(self.words)):
            self._introduced(at)
            self._labelled(at)
            self._related(at)
            self._aged(at)

    def _handles(self) -> None:
        for match in _HANDLE.finditer(self.text):
            if match.group(1).lower() not in NOT_INITIALS | ORDINARY_WORDS - NAMES_THAT_ARE_WORDS:
                self.handles.append(
                    PersonalData(PersonalDataKind.NAME, match.start(1), match.end(1), match.group(1), _CUED)
                )

    def _titled(self, at: int) -> None:
        title, after = self.words[at], at + 1
        if after >= len(self.words) or title.possessive or not _TITLE_GAP.fullmatch(self.words[after].gap):
            return
        word = self.words[after]
        if not word.gap or word.low in TITLES:
            return
        if (
            title.low in TITLES_THAT_ARE_WORDS
            and not title.plain
            and not (word.capital and (title.capital or self._may_start(after, sure=False)))
        ):
            return
        if title.low in TITLES_THAT_ARE_WORDS and title.plain and not self._may_start(after, sure=False):
            return
        if word.low in FUNCTION_WORDS and not word.capital:
            return
        short = word.initials and (word.low not in {"i", "a"} or self._dotted(after)) and self._initials(word)
        if short or self._may_start(after, sure=True) or (not word.capital and not word.ordinary):
            self._take(after, _SURE, sure=True)

    def _dotted(self, at: int) -> bool:
        """Whether an initial with its full stop leads to a surname: "I. Kowalczyk"."""
        word = self.words[at]
        if len(word.text) != 1 or not word.text.isupper() or at + 1 >= len(self.words):
            return False
        surname = self.words[at + 1]
        name_like = (
            surname.capital and not surname.ordinary and surname.low not in PLACES | NOT_NAMES | TITLES
        )
        return surname.gap in {". ", "."} and name_like and len(surname.text) > 2

    def _introduced(self, at: int) -> None:
        """ "my name is", "called", "dear", "on behalf of", "this is" and their like."""
        low = [word.low for word in self.words[max(0, at - 3) : at]]
        if not low or not _CUE_GAP.fullmatch(self.words[at].gap):
            return
        last, pair = low[-1], tuple(low[-2:])
        if pair in {("name", "is"), ("name's", "is"), ("names", "is"), ("known", "as"), ("name", "was")} or last in {
            "named", "name", "surname", "née", "nee", "alias", "aka", "names"
        }:  # fmt: skip
            sure = not set(low) & {"home", "homes", "company", "agency", "ward", "brand", "provider"}
            if sure and self._may_start(at, sure=True):
                self._take(at, _SURE, sure=True)
        elif last in {"called", "calls"}:
            if not set(low[:-1]) & THINGS_CALLED and self._may_start(at, sure=self._speaks(at)):
                self._take(at, _CUED)
        elif (
            last in GREETINGS
            or pair in {("this", "is"), ("behalf", "of"), ("i", "am"), ("it", "is"), ("c", "o"), ("love", "from")}
            or last in {"i'm", "im", "it's", "its", "re", "attn", "fao", "from", "cc"}
        ) and self._may_start(at, sure=self._speaks(at)) and not self._bare_unknown(at, last):  # fmt: skip
            self._take(at, _CUED)

    def _speaks(self, at: int) -> bool:
        """Whether the writer goes on as one who has just said a name ("its kayleigh here")."""
        after = self.words[at + 1 : at + 3]
        return self.words[at].plain and any(word.low in {"here", "speaking", "calling"} for word in after)

    def _bare_unknown(self, at: int, cue: str) -> bool:
        """ "from" leads to places as often as to people."""
        word = self.words[at]
        known = word.low in FIRST_NAMES or word.low in NAMES_THAT_ARE_WORDS
        return cue in {"from", "re", "it's", "its"} and not known and not self._speaks(at)

    def _labelled(self, at: int) -> None:
        """A form's field, "Resident: ..." or "Name of patient - ...", and the rest of its line's list."""
        word = self.words[at]
        if not at or not _LABEL_GAP.fullmatch(word.gap):
            return
        label = self.words[max(0, at - 4) : at]
        starts = [i for i, item in enumerate(label) if item.first or "\n" in item.gap]
        label = label[starts[-1] :] if starts else label[-2:]
        lows = {item.low for item in label}
        if not lows & (LABELS | ROLES | KIN) or lows & LABELS_OF_THINGS:
            return
        # A service signs with its own name, and "Aunty: Left" is a chat.
        if self._names_place(at) or (word.ordinary and not lows & LABELS):
            return
        named = bool(lows & {"name", "names", "signed", "witness", "nok", "contact"}) or ":" in word.gap
        while at < len(self.words) and self._may_start(at, sure=named):
            end = self._take(at, _SURE if named else _CUED, sure=True)
            if (
                end == at
                or end >= len(self.words)
                or not re.fullmatch(r"[ ]?[;&/,][ ]?", self.words[end].gap)
            ):
                return
            at, named = end, False

    def _names_place(self, at: int) -> bool:
        """Whether a capital of a place that is no surname follows in the same few words."""
        for word in self.words[at + 1 : at + 4]:
            if word.gap != " " or not (word.capital or word.plain):
                return False
            if word.low in PLACES - PLACES_THAT_ARE_SURNAMES:
                return True
        return False

    def _related(self, at: int) -> None:
        """ "my mum Jean", "resident Arthur Pell", "her daughter is Zofia", "client KD"."""
        if not at:
            return
        word, cue = self.words[at], self.words[at - 1]
        if cue.low in {"is", "was", "named", "called", "being"} and at > 1 and word.gap == " ":
            cue = self.words[at - 2]
            between = True
        else:
            between = False
        if cue.possessive or (cue.low not in KIN and cue.low not in ROLES):
            return
        if not _CUE_GAP.fullmatch(word.gap):
            return
        if self._unknown_initials(word) and not between:
            self._take(at, _CUED)
        elif self._may_start(
            at, sure=word.plain and cue.low in KIN and not between and word.gap == " "
        ) and not (word.ordinary and ("," in word.gap or between)):
            self._take(at, _CUED, sure=cue.low in KIN)

    def _unknown_initials(self, word: _Word) -> bool:
        bare = word.text.replace(".", "").replace(" ", "")
        return (
            word.text.isupper()
            and 1 <= len(bare) <= 3
            and not word.plain
            and bare != "I"
            and self._initials(word)
        )

    def _aged(self, at: int) -> None:
        """ "Reg, 84," and "Arthur Pell (84)"."""
        word = self.words[at]
        if at in self.taken or not self._may_start(at, sure=False) or word.plain:
            return
        end = self._extend(at, sure=True)
        age = _AGE.match(self.text, self.words[end - 1].end)
        if age and 16 <= int(age.group(1)) <= 115:
            self._take(at, _CUED, sure=True)

    # Signatures.

    def _signatures(self) -> None:
        """Names under "Regards", behind it on its line, and alone on the last line."""
        lines = self._lines()
        for number, line in enumerate(lines):
            if not self._closes(line):
                continue
            self._sign(self._behind_closing(line))
            for following in lines[number + 1 : number + 3]:
                self._sign(following)
        if len(lines) > 1 and len(lines[-1]) <= 3:
            self._sign(lines[-1])

    def _lines(self) -> list[list[int]]:
        lines: list[list[int]] = []
        for at, word in enumerate(self.words):
            if not lines or "\n" in word.gap:
                lines.append([])
            lines[-1].append(at)
        return lines

    def _closes(self, line: Sequence[int]) -> bool:
        tail = [self.words[at].low for at in line]
        closing = next((place for place, low in enumerate(tail) if low in CLOSINGS), None)
        return closing is not None and closing <= 3 and len(line) <= closing + 6

    def _behind_closing(self, line: Sequence[int]) -> Sequence[int]:
        last = max(place for place, at in enumerate(line) if self.words[at].low in CLOSINGS)
        return line[last + 1 :]

    def _sign(self, line: Sequence[int]) -> None:
        """Marks the name that a short line begins with; job titles, services and sentences are none."""
        line = list(line)
        while line and self.words[line[0]].low in {"from", "and", "x", "xx", "xxx"}:
            line.pop(0)
        if not line or line[0] in self.taken or len(line) > 8:
            return
        at = line[0]
        word = self.words[at]
        listed = word.low in FIRST_NAMES or word.low in NAMES_THAT_ARE_WORDS
        initial = word.initials and len(line) > 1 and word.text != "I" and word.text.isupper()
        if not (initial or self._may_start(at, sure=False) or (listed and word.plain)):
            return
        end = self._extend(at, sure=True)
        stops = (
            end > line[-1]
            or self.words[end].gap.strip(" ")
            or self.words[end].low in {"and", "x", "xx", "on"}
        )
        if stops and not (word.plain and not listed) and not self._line_is_place(line):
            self._take(at, _CUED, sure=True)

    def _line_is_place(self, line: Sequence[int]) -> bool:
        return self.words[line[-1]].low in PLACES - PLACES_THAT_ARE_SURNAMES and not any(
            "," in self.words[at].gap for at in line[1:]
        )

    # Lists of names, and people's doings.

    def find_listed(self) -> None:
        """First names and surnames that the lists know, and unknown capitals who speak or own a hip."""
        for at, word in enumerate(self.words):
            if at in self.taken or word.low in NOT_NAMES:
                continue
            if self._dotted(at):
                self._take(at, _LIKELY)
                continue
            if word.initials:
                if word.text.count(".") > 1 and self._initials(word):
                    self._take(at, _LIKELY)
                continue
            if word.low in FIRST_NAMES:
                self._take(at, _LISTED)
            elif word.low in NAMES_THAT_ARE_WORDS:
                self._word_name(at)
            elif self._is_somebodys(at):
                self._take(at, _LIKELY)

    def _is_somebodys(self, at: int) -> bool:
        """Whether a word that is no known first name is a surname, or does what people do."""
        word = self.words[at]
        if word.low in SURNAMES and (word.capital or word.plain) and not self._in_place(at):
            return True
        if not word.capital:
            return False
        if self._stands_alone(at):
            return True
        return (not word.ordinary and self._acts(at)) or (not word.first and self._is_pair(at))

    def _stands_alone(self, at: int) -> bool:
        """Whether a capital that no list knows stands where a person may: not at a place, in no longer name."""
        word = self.words[at]
        following = self.words[at + 1] if at + 1 < len(self.words) else None
        about = at > 0 and self.words[at - 1].low in {"re", "fao", "cc", "attn"}
        if following is not None and following.gap.startswith(":") and not about:
            return False
        if (
            word.low in TITLES | ROLES | KIN | LABELS
            or word.ordinary
            or len(word.text) < 3
            or word.text.isupper()
            or word.low in PLACES
            or word.low in PARTICLES
        ):
            return False
        before = self.words[at - 1] if at and word.gap == " " else None
        if before is not None and (before.low in _BEFORE_PLACES or (before.capital and not before.first)):
            return False
        if word.low.endswith(_PLACE_ENDINGS) and not word.possessive:
            return False
        last = self._extend(at, sure=False)
        after = self.words[last] if last < len(self.words) and self.words[last].gap == " " else None
        return not (after is not None and after.capital and not after.plain)

    def _in_place(self, at: int) -> bool:
        """Whether the word stands where places do: "at Preston", "in Nelson"."""
        return at > 0 and self.words[at - 1].low in {"at", "in", "near"}

    def _word_name(self, at: int) -> None:
        """Grace, Mark, Will: names only when something beside the capital says so."""
        word = self.words[at]
        if not word.capital:
            return
        following = self.words[at + 1] if at + 1 < len(self.words) else None
        surname = following is not None and self._goes_on(at + 1, sure=False) and not following.first
        owns = word.possessive and following is not None and following.low in PERSON_THINGS
        does = PERSON_VERBS if word.low in FUNCTION_WORDS | HOPEFUL_NAMES else PERSON_VERBS | BEING_VERBS
        acts = following is not None and following.low in does and following.gap == " "
        acts = acts or (
            following is not None and following.low.endswith(("n't", "n’t")) and word.low not in HOPEFUL_NAMES
        )
        if following is not None and following.gap == " ":
            # "Will will be in", "Hope was crying".
            after = self.words[at + 2] if at + 2 < len(self.words) else None
            doing = (
                after is not None and after.gap == " " and after.low.endswith("ing") and len(after.low) > 5
            )
            lies = (
                following.low == "in"
                and after is not None
                and after.low in {"room", "rm", "bed", "flat", "bay"}
            )
            been = following.low == "has" and after is not None and after.low == "been"
            acts = (
                acts
                or lies
                or been
                or following.low == word.low
                or (following.low in {"was", "is"} and doing)
            )
        elif following is not None and following.gap == ", ":
            acts = acts or following.low == "who"
        inside = not word.first and not self._in_place(at) and not self._capital_before(at)
        if surname or owns or acts or inside:
            self._take(at, _LISTED if surname else _LIKELY)

    def _capital_before(self, at: int) -> bool:
        before = self.words[at - 1]
        return before.capital and self.words[at].gap == " " and not before.first

    def _acts(self, at: int) -> bool:
        """Whether an unknown capital does what people do, has what people have, or is told something."""
        word = self.words[at]
        following = self.words[at + 1] if at + 1 < len(self.words) else None
        if self._in_place(at) or word.text.isupper() or (at and self._capital_before(at)):
            return False
        if at and self.words[at - 1].low in PERSON_PREPS and word.gap == " ":
            return True
        if self._spoken_to(at):
            return True
        if following is None or following.gap != " ":
            return False
        return following.low in (PERSON_THINGS if word.possessive else PERSON_VERBS)

    def _spoken_to(self, at: int) -> bool:
        """ "I have spoken to Pauline and to Ged"."""
        before = [word.low for word in self.words[max(0, at - 6) : at]]
        spoke = {"spoke", "spoken", "talked", "speak", "speaking", "talking", "written", "wrote"}
        word = self.words[at]
        is_place = word.low in PLACES or word.low.endswith(_PLACE_ENDINGS)
        return before[-1:] in (["to"], ["with"]) and bool(set(before) & spoke) and not is_place

    def _is_pair(self, at: int) -> bool:
        """Two capitals that no list knows, beside each other and not said to be a place."""
        word, before = self.words[at], self.words[at - 1]
        if word.ordinary or word.text.isupper() or word.possessive or word.low in PLACES:
            return False
        if before.low in {"at", "in", "near", "the", "of", "to", "st"} or (
            before.capital and word.gap == " "
        ):
            return False
        end = self._extend(at, sure=False)
        return (
            end == at + 2 and not self.words[at + 1].text.isupper() and self.words[at + 1].low not in PLACES
        )

    def find_in_lists(self) -> None:
        """Neighbours of names in a list: "Ivy, Wilf and Hortensia"."""
        for at in range(1, len(self.words)):
            word = self.words[at]
            if at in self.taken or not word.capital or word.low in NOT_NAMES or word.low in PLACES:
                continue
            if word.low in ORDINARY_WORDS and word.low not in NAMES_THAT_ARE_WORDS:
                continue
            after_name = self.words[at - 1].low in {"and", "or"} and at - 2 in self.taken and word.gap == " "
            after_name = after_name or (at - 1 in self.taken and word.gap.strip() == "/")
            if after_name or self._followed_by_and_name(at):
                self._take(at, _LIKELY)

    def _followed_by_and_name(self, at: int) -> bool:
        after = self.words[at + 1 : at + 3]
        return len(after) == 2 and after[0].low == "and" and after[0].gap == " " and at + 2 in self.taken

    # Later mentions.

    def carry(self, known_names: Sequence[str]) -> None:
        """Every other mention of a name found or known, in any case, and misspelt by a letter when long."""
        parts, sure_parts = self._parts(), _known_parts(known_names)
        parts |= sure_parts
        spellings = _Spellings(part for part in parts if _LONG_NAME <= len(part) <= _LONGEST_NAME)
        for at, word in enumerate(self.words):
            if at in self.taken:
                continue
            if word.low in parts:
                if self._carried(at, parts):
                    self._take(at, _CARRIED)
            elif self._odd(word) and spellings.near(word.low):
                self._take(at, _LIKELY)

    def _odd(self, word: _Word) -> bool:
        if not _LONG_NAME - 1 <= len(word.low) <= _LONGEST_NAME:
            return False
        return (
            not word.ordinary and word.low not in NOT_NAMES and word.low not in PLACES and not word.initials
        )

    def _parts(self) -> set[str]:
        """What later mentions may consist of: whole words of names, and initials of two letters or more."""
        parts: set[str] = set()
        for at, (end, _) in self.spans.items():
            for word in self.words[at:end]:
                if (len(word.low) > 1 or "." in word.text) and word.low not in PARTICLES:
                    parts.add(word.low)
                    if "-" in word.low:
                        parts.update(piece for piece in word.low.split("-") if len(piece) > 3)
        for handle in self.handles:
            parts.update(piece for piece in re.split(r"[._-]", handle.text.lower()) if len(piece) > 2)
        return parts

    def _carried(self, at: int, parts: set[str]) -> bool:
        word = self.words[at]
        if word.initials or (word.text.isupper() and len(word.text) <= 3):
            return word.text.isupper()
        if word.ordinary or word.low in _WORDS_TOO:
            beside = (
                at + 1 < len(self.words) and self.words[at + 1].low in parts and self.words[at + 1].capital
            )
            acts = at + 1 < len(self.words) and self.words[at + 1].low in PERSON_VERBS | BEING_VERBS
            inside = word.capital and (not word.first or word.possessive) and word.low not in NOT_NAMES
            return word.capital and (beside or acts or inside)
        return True

    def found(self) -> list[PersonalData]:
        """All names, in order."""
        names = list(self.handles)
        for at, (end, score) in self.spans.items():
            start, stop = self.words[at].start, self.words[end - 1].end
            if any(item.start <= start < item.end for item in self.handles):
                continue
            names.append(PersonalData(PersonalDataKind.NAME, start, stop, self.text[start:stop], score))
        return sorted(names, key=lambda item: item.start)


class _Spellings:
    """Long names by their spellings with one letter left out, so that a look-up costs the same for any number."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[str, set[str]] = {}
        for name in names:
            for shorter in _with_one_left_out(name):
                self._names.setdefault(shorter, set()).add(name)

    def near(self, word: str) -> bool:
        """Whether a name is one slip away: a letter more, less, other, or two changed about."""
        return any(
            OSA.distance(name, word, score_cutoff=1) <= 1
            for shorter in _with_one_left_out(word)
            for name in self._names.get(shorter, ())
        )


def _with_one_left_out(word: str) -> Iterator[str]:
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


def _known_parts(known_names: Iterable[str]) -> set[str]:
    """The words of names from a thread's fields; a team's or a service's display name has none."""
    parts: set[str] = set()
    for name in known_names:
        words = [word.lower().replace("’", "'") for word in _KNOWN_WORD.findall(_ANGLE.sub(" ", name))]
        if len(words) > 1 and words[-1] in PLACES - PLACES_THAT_ARE_SURNAMES:
            continue
        parts.update(word for word in words if len(word) > 1 and word not in TITLES and word not in PARTICLES)
    return parts
