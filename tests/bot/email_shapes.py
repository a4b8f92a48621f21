"""How mail programs write replies, forwards and signatures: what must stay, what must go."""

from __future__ import annotations

from dataclasses import dataclass

CONCERN = "The carers did not come on Sunday and my mother was left in bed until four."
HISTORY = "Thank you for contacting the quality desk, we will look into it."
GMAIL_INTRO = "On Mon, 2 Nov 2026 at 09:14, Quality Desk <desk@council.example> wrote:"
DISCLAIMER = (
    "This email and any attachments are confidential and intended solely for the use of the individual\n"
    "to whom they are addressed. If you are not the intended recipient please notify the sender and\n"
    "delete this email. Any unauthorised copying or disclosure is prohibited."
)


@dataclass(frozen=True)
class Shape:
    """One body, and fragments that `new_text` must keep or must set apart."""

    name: str
    body: str
    keeps: tuple[str, ...] = (CONCERN,)
    drops: tuple[str, ...] = (HISTORY,)
    subject: str = "Re: Your enquiry"
    content_type: str = "text/plain; charset=utf-8"
    author: str = ""

    @property
    def raw(self) -> bytes:
        """The whole mail."""
        return (
            "From: Susan Hart <susan@family.example>\r\nTo: desk@council.example\r\n"
            f"Subject: {self.subject}\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@family.example>\r\n"
            f"MIME-Version: 1.0\r\nContent-Type: {self.content_type}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            + self.body.replace("\n", "\r\n")
        ).encode()


OUTLOOK_HEAD = (
    "From: Quality Desk <desk@council.example>\nSent: 02 November 2026 09:14\n"
    "To: Susan Hart <susan@family.example>\nSubject: RE: Your enquiry"
)
FORWARDED = "Mr Okoro has a grade 3 pressure sore and nobody has called the nurse."
FORWARD_HEAD = (
    "From: Tom Blake <tom@homecare.example>\nSent: 01 November 2026 18:02\n"
    "To: Susan Hart <susan@family.example>\nSubject: Mr Okoro"
)

REPLIES = (
    Shape("a Gmail reply", f"{CONCERN}\n\n{GMAIL_INTRO}\n\n> {HISTORY}\n> Regards\n"),
    Shape(
        "a Gmail reply whose intro wraps",
        f"{CONCERN}\n\nOn Mon, 2 Nov 2026 at 09:14, The Quality Desk of the Council <\n"
        f"desk@council.example>\nwrote:\n\n> {HISTORY}\n",
        drops=(HISTORY, "wrote:"),
    ),
    Shape(
        "an Apple Mail reply",
        f"{CONCERN}\n\n> On 2 Nov 2026, at 09:14, Desk <desk@council.example> wrote:\n> \n> {HISTORY}\n",
    ),
    Shape(
        "an iPhone reply",
        f"{CONCERN}\n\nSent from my iPhone\n\n"
        f"> On 2 Nov 2026, at 09:14, Desk <desk@council.example> wrote:\n>\n> {HISTORY}\n",
        drops=(HISTORY, "iPhone"),
    ),
    Shape(
        "an Outlook desktop reply", f"{CONCERN}\n\n{OUTLOOK_HEAD}\n\n{HISTORY}\n", drops=(HISTORY, "Sent: 02")
    ),
    Shape(
        "an Outlook reply under a rule",
        f"{CONCERN}\n\n________________________________\n{OUTLOOK_HEAD}\n\n{HISTORY}\n",
        drops=(HISTORY, "____"),
    ),
    Shape(
        "an Outlook for iOS reply",
        f"{CONCERN}\n\nGet Outlook for iOS<https://aka.example/o0ukef>\n________________________________\n{OUTLOOK_HEAD}\n\n{HISTORY}\n",
        drops=(HISTORY, "Get Outlook"),
    ),
    Shape(
        "a reply under Original Message",
        f"{CONCERN}\n\n-----Original Message-----\n{OUTLOOK_HEAD}\n\n{HISTORY}\n",
        drops=(HISTORY, "Original Message"),
    ),
    Shape(
        "an Outlook reply with bold headers",
        f"{CONCERN}\n\n*From:* Quality Desk <desk@council.example>\n*Sent:* 02 November 2026 09:14\n"
        f"*To:* Susan Hart\n*Subject:* RE: Your enquiry\n\n{HISTORY}\n",
    ),
    Shape(
        "an Outlook reply whose headers have blank lines between them",
        f"{CONCERN}\n\nFrom: Quality Desk [mailto:desk@council.example]\n\nSent: 02 November 2026 09:14\n\n"
        f"To: Susan Hart\n\nSubject: RE: Your enquiry\n\n{HISTORY}\n",
    ),
    Shape(
        "an Outlook reply whose recipients wrap",
        f"{CONCERN}\n\nFrom: Quality Desk <desk@council.example>\nSent: 02 November 2026 09:14\n"
        f"To: Susan Hart <susan@family.example>; Ann Lee\n<ann@family.example>; Raj Patel <raj@family.example>\n"
        f"Subject: RE: Your enquiry\n\n{HISTORY}\n",
    ),
    Shape(
        "a Samsung reply",
        f"{CONCERN}\n\nSent from my Galaxy\n\n-------- Original message --------\nFrom: Desk <desk@council.example>\n"
        f"Date: 02/11/2026 09:14 (GMT+00:00)\nTo: Susan\nSubject: Your enquiry\n\n{HISTORY}\n",
        drops=(HISTORY, "Galaxy"),
    ),
    Shape(
        "a Yahoo reply without quote marks",
        f"{CONCERN}\n\nSent from Yahoo Mail on Android\n\n"
        f"  On Mon, 2 Nov 2026 at 9:14, Quality Desk<desk@council.example> wrote:   {HISTORY[:0]}\n{HISTORY}\n",
        drops=(HISTORY, "Yahoo"),
    ),
    Shape("a Thunderbird reply", f"{CONCERN}\n\nOn 02/11/2026 09:14, Quality Desk wrote:\n> {HISTORY}\n"),
    Shape("a bottom-posted reply", f"{GMAIL_INTRO}\n> {HISTORY}\n\n{CONCERN}\n"),
    Shape(
        "an interleaved reply",
        f"{GMAIL_INTRO}\n> When did it happen?\n\nLast Sunday, all day.\n\n> Who was on duty? {HISTORY}\n\n{CONCERN}\n",
        keeps=("Last Sunday, all day.", CONCERN),
    ),
    Shape(
        "an interleaved reply that says so above",
        f"Please see my answers below.\n\n{GMAIL_INTRO}\n> {HISTORY}\n{CONCERN}\n",
        keeps=("see my answers below", CONCERN),
    ),
    Shape(
        "answers in red below an Outlook head",
        f"My comments in red below.\n\n{OUTLOOK_HEAD}\n\nWhen did it happen?\n{CONCERN}\n",
        keeps=("When did it happen?", CONCERN),
        drops=(),
    ),
    Shape("a short reply", f"Yes please do.\n\n{GMAIL_INTRO}\n> {HISTORY}\n", keeps=("Yes please do.",)),
    Shape(
        "a nested history",
        f"{CONCERN}\n\n{GMAIL_INTRO}\n> {HISTORY}\n>> Older words\n>>> Oldest words\n",
        drops=(HISTORY, "Old"),
    ),
    Shape("a German client", f"{CONCERN}\n\nAm 02.11.2026 um 09:14 schrieb Desk:\n> {HISTORY}\n"),
    Shape(
        "a Welsh Outlook",
        f"{CONCERN}\n\nOddi wrth: Desk <desk@council.example>\n"
        f"Anfonwyd: 02 Tachwedd 2026 09:14\nAt: Susan\nPwnc: Ymholiad\n\n{HISTORY}\n",
    ),
    Shape("a reply without any intro", f"{CONCERN}\n\n> {HISTORY}\n> More of it\n"),
    Shape(
        "an HTML-only Gmail reply",
        f'<div dir="ltr">{CONCERN}</div><br><div class="gmail_quote"><div class="gmail_attr">'
        "On Mon, 2 Nov 2026 at 09:14, "
        f'Desk &lt;<a href="mailto:desk@council.example">desk@council.example</a>&gt; wrote:<br></div>'
        f'<blockquote class="gmail_quote"><p>{HISTORY}</p></blockquote></div>',
        content_type="text/html; charset=utf-8",
    ),
    Shape(
        "an HTML-only Apple reply with an answer under the quote",
        f'<body><div><blockquote type="cite">'
        f"<div>On 2 Nov 2026, at 09:14, Desk &lt;desk@council.example&gt; wrote:</div>"
        f"<div>{HISTORY}</div></blockquote></div><div>{CONCERN}</div></body>",
        content_type="text/html; charset=utf-8",
    ),
    Shape(
        "an HTML-only Outlook reply",
        f'<div class="WordSection1"><p class="MsoNormal">{CONCERN}<o:p></o:p></p>'
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">'
        "<b>From:</b> Quality Desk &lt;desk@council.example&gt;<br><b>Sent:</b> 02 November 2026 09:14<br>"
        f"<b>To:</b> Susan Hart<br><b>Subject:</b> RE: Your enquiry</p></div><p>{HISTORY}</p></div>",
        content_type="text/html; charset=utf-8",
    ),
)

SIGNATURES = (
    Shape(
        "a delimited signature",
        f"{CONCERN}\n\n-- \nJane Roe\nDeputy Manager\nRose Court\n",
        drops=("Deputy Manager",),
        subject="x",
    ),
    Shape(
        "a signature without delimiter",
        f"{CONCERN}\n\nKind regards,\n\nJane Roe\nSafeguarding Team Manager\nTel: 01632 960001\nwww.council.example\n",
        keeps=(CONCERN, "Jane Roe"),
        drops=("Team Manager", "01632"),
        subject="x",
    ),
    Shape(
        "a disclaimer",
        f"{CONCERN}\n\nThanks\nJane\n\n{DISCLAIMER}\n",
        drops=("intended recipient",),
        subject="x",
    ),
    Shape(
        "signature and disclaimer and iPhone",
        f"{CONCERN}\n\nSent from my iPhone\n\n-- \nJane\nNurse, Example NHS Trust\n\n{DISCLAIMER}\n",
        drops=("iPhone", "NHS Trust", "unauthorised"),
        subject="x",
    ),
    Shape(
        "an external banner",
        "CAUTION: This email originated from outside of the organisation. Do not click links or open\n"
        f"attachments unless you recognise the sender and know the content is safe.\n\n{CONCERN}\n",
        drops=("CAUTION", "recognise the sender"),
        subject="x",
    ),
    Shape("an external tag", f"[EXTERNAL]\n\n{CONCERN}\n", drops=("EXTERNAL",), subject="x"),
    Shape("an external tag on the first line", f"[EXTERNAL] {CONCERN}\n", drops=("EXTERNAL",), subject="x"),
    Shape(
        "a signature above the history",
        f"{CONCERN}\n\nRegards\nTom Blake\nCare Coordinator | Example Home Care Ltd\n\n{OUTLOOK_HEAD}\n\n{HISTORY}\n",
        drops=("Coordinator", HISTORY),
    ),
)

FORWARDS = (
    Shape(
        "a Gmail forward",
        "Please look at this.\n\n---------- Forwarded message ---------\nFrom: Tom Blake <tom@homecare.example>\n"
        f"Date: Sun, 1 Nov 2026 at 18:02\nSubject: Mr Okoro\nTo: Susan <susan@family.example>\n\n\n{FORWARDED}\n",
        keeps=("Please look at this.", FORWARDED),
        drops=(),
        subject="Fwd: Mr Okoro",
        author="tom@homecare.example",
    ),
    Shape(
        "an Outlook forward",
        f"FYI\n\n{FORWARD_HEAD}\n\n{FORWARDED}\n",
        keeps=("FYI", FORWARDED),
        drops=(),
        subject="FW: Mr Okoro",
        author="tom@homecare.example",
    ),
    Shape(
        "an Apple forward",
        f"Begin forwarded message:\n\n> From: Tom Blake <tom@homecare.example>\n"
        f"> Subject: Mr Okoro\n> Date: 1 November 2026\n> \n> {FORWARDED}\n",
        keeps=(FORWARDED,),
        drops=(),
        subject="Fwd: Mr Okoro",
        author="tom@homecare.example",
    ),
    Shape(
        "a Yahoo forward",
        f"   ----- Forwarded Message -----\n{FORWARD_HEAD}\n\n{FORWARDED}\n",
        keeps=(FORWARDED,),
        drops=(),
        subject="Fw: Mr Okoro",
        author="tom@homecare.example",
    ),
    Shape(
        "a forward of a whole trail",
        f"See the trail below\n\n{FORWARD_HEAD}\n\n{FORWARDED}\n\n{OUTLOOK_HEAD}\n\n{HISTORY}\n",
        keeps=(FORWARDED, HISTORY),
        drops=(),
        subject="FW: RE: Mr Okoro",
        author="tom@homecare.example",
    ),
    Shape(
        "an Outlook forward with a new subject",
        f"{FORWARD_HEAD}\n\n{FORWARDED}\n",
        keeps=(FORWARDED,),
        drops=(),
        subject="Concern about a resident",
        author="tom@homecare.example",
    ),
    Shape(
        "a reply-all that passes a concern on",
        f"Hello desk, please see below. Thanks\n\n{FORWARD_HEAD}\n\n{FORWARDED}\n",
        keeps=("please see below", FORWARDED),
        drops=(),
        subject="RE: Mr Okoro",
    ),
    Shape(
        "a forward without a word above",
        f"\n\n-----Original Message-----\n{FORWARD_HEAD}\n\n{FORWARDED}\n",
        keeps=(FORWARDED,),
        drops=(),
        subject="Fwd: Mr Okoro",
        author="tom@homecare.example",
    ),
    Shape(
        "a forward with signature and disclaimer",
        f"For action\n\nJane Roe\n\n---------- Forwarded message ---------\n{FORWARD_HEAD}\n\n"
        f"{FORWARDED}\n\n-- \nTom\n\n{DISCLAIMER}\n",
        keeps=("For action", FORWARDED),
        drops=("unauthorised",),
        subject="Fwd: Mr Okoro",
        author="tom@homecare.example",
    ),
    Shape(
        "a German forward",
        f"-------- Weitergeleitete Nachricht --------\nVon: Tom Blake <tom@homecare.example>\n"
        f"Datum: 1.11.2026\nBetreff: Mr Okoro\n\n{FORWARDED}\n",
        keeps=(FORWARDED,),
        drops=(),
        subject="WG: Mr Okoro",
        author="tom@homecare.example",
    ),
)

TRAPS = (
    Shape(
        "From in prose",
        f"From: the carers\nTo: my mum, not one kind word.\n{CONCERN}",
        ("not one kind word", CONCERN),
        (),
        "Re: mum",
    ),
    Shape(
        "hours that begin with From",
        f"From: 9am to 1pm nobody came.\nSubject: my mother, 91.\n{CONCERN}",
        ("nobody came", "my mother, 91", CONCERN),
        (),
        "Re: Care at home",
    ),
    Shape(
        "someone quotes their mother",
        f"On Monday my mum wrote:\n\nPlease take me home, they shout at me.\n\n{CONCERN}",
        ("they shout at me", CONCERN),
        (),
        "Re: mum",
    ),
    Shape(
        "someone quotes their mother with arrows in a reply",
        f"On Monday my mum wrote:\n> Please take me home.\n\n{CONCERN}",
        ("take me home", CONCERN),
        (),
        "Re: mum",
    ),
    Shape(
        "two words over a quote in what is no reply",
        f"Please help\n\n{GMAIL_INTRO}\n> {CONCERN}",
        ("Please help", CONCERN),
        (),
        "mum",
    ),
    Shape(
        "someone quotes a manager in a reply",
        f"On 2 November 2026 at 10:30 the manager wrote:\n\nDo not call the GP.\n\n{CONCERN}",
        ("Do not call the GP.", CONCERN),
        (),
        "Re: Rose Court",
    ),
    Shape(
        "someone pastes what a manager wrote as evidence",
        f"On 2 November 2026 at 10:30, the manager wrote:\n> Do not call the GP.\n\n{CONCERN}",
        ("Do not call the GP.", CONCERN),
        (),
        "Rose Court",
    ),
    Shape(
        "a form with dates from and to",
        f"Name: Ann\nFrom: 12/03/2026\nTo: 14/03/2026\nDate: 15 March\n{CONCERN}",
        ("14/03/2026", CONCERN),
        (),
        "Re: missed visits",
    ),
    Shape(
        "someone quotes their mother with a date and time",
        f"On 3 November at 10:30 my mum wrote:\n\nPlease take me home.\n\n{CONCERN}",
        ("take me home", CONCERN),
        (),
        "Rose Court",
    ),
    Shape(
        "arrows as bullets in a reply",
        f"These things worry me:\n> no medicine since Friday\n> no food\n\n{CONCERN}\n\n{GMAIL_INTRO}\n> {HISTORY}",
        ("no medicine since Friday", "no food", CONCERN),
        (HISTORY,),
    ),
    Shape(
        "arrows as bullets in a new mail",
        "> no medicine since Friday\n> no food",
        ("no medicine", "no food"),
        (),
        "Rose Court",
    ),
    Shape(
        "a postscript under the signature",
        f"{CONCERN}\n\nKind regards\nJane Roe\nTel: 01632 960001\n\nPS she also has a bruise on her arm.",
        (CONCERN, "bruise on her arm"),
        ("01632",),
        "x",
    ),
    Shape(
        "a sentence under the two dashes",
        f"{CONCERN}\n--\nI have also told the police about the bruises on her arm.",
        (CONCERN, "told the police"),
        (),
        "x",
    ),
    Shape(
        "a relation in the signature",
        f"{CONCERN}\n\nKind regards\nSusan Hart\nDaughter of Mrs Hart, Rose Court\nTel: 01632 960001",
        (CONCERN, "Daughter of Mrs Hart"),
        ("01632",),
        "x",
    ),
    Shape(
        "regards in prose",
        f"{CONCERN}\nRegards the medication, it was never given.",
        (CONCERN, "never given"),
        (),
        "x",
    ),
    Shape(
        "confidence that is asked for",
        f"{CONCERN}\n\nThis email is confidential, please do not disclose my name to the manager, she hits them.",
        (CONCERN, "she hits them"),
        (),
        "x",
    ),
    Shape(
        "a borrowed phone",
        f"{CONCERN}\nSent from my phone because mum's is broken and he took it.",
        (CONCERN, "he took it"),
        (),
        "x",
    ),
    Shape(
        "a warning that is the message",
        "CAUTION: the new carer is dangerous.\nWARNING she hit two residents.",
        ("the new carer is dangerous", "hit two residents"),
        (),
        "x",
    ),
    Shape("only a quote", f"> {CONCERN}", (CONCERN,), (), "Re: x"),
    Shape("only a signature", "-- \nJane Roe\nDeputy Manager", ("Jane Roe", "Deputy Manager"), (), "x"),
    Shape(
        "a line of dashes in a list",
        f"{CONCERN}\n-----\nShe fell twice\n-----\nNobody rang us",
        ("She fell twice", "Nobody rang"),
        (),
        "x",
    ),
    Shape(
        "the answer under an unmarked history",
        f"{OUTLOOK_HEAD}\n\n{HISTORY}\n\n{CONCERN}",
        (CONCERN,),
        (),
    ),
)

ALL_SHAPES = REPLIES + SIGNATURES + FORWARDS + TRAPS
