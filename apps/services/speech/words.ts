/** English text to sounds: numbers, a small lexicon, and letter-to-sound rules for all else (in the manner of Elovitz and others, 1976). */

const ONES =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const TENS = '- - twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');

/** Words of whole numbers below a million; longer ones, and such as begin with 0, digit by digit. */
export function numberWords(digits: string): string[] {
  const single = digits.length > 6 || (digits.length > 1 && digits.startsWith('0'));
  return single ? [...digits].map((digit) => ONES[Number(digit)] ?? '') : wordsOf(Number(digits));
}

function wordsOf(value: number): string[] {
  const rest = (unit: number) => (value % unit === 0 ? [] : wordsOf(value % unit));
  if (value < 20) return [ONES[value] ?? ''];
  if (value < 100) return [TENS[Math.floor(value / 10)] ?? '', ...rest(10)];
  const [unit, name] = value < 1000 ? [100, 'hundred'] : [1000, 'thousand'];
  return [...wordsOf(Math.floor(value / unit)), name, ...rest(unit)];
}

/** Words whose spelling misleads, a line each. */
const LEXICON = `zero Z IH R OW
one W AH N
two T UW
three TH R IY
four F AO R
five F AY V
six S IH K S
seven S EH V AX N
eight EY T
nine N AY N
ten T EH N
eleven IH L EH V AX N
twelve T W EH L V
twenty T W EH N T IY
thirty TH ER T IY
thirteen TH ER T IY N
fifteen F IH F T IY N
eighteen EY T IY N
hundred HH AH N D R AX D
thousand TH AW Z AX N D
the DH AX
a AX
of AH V
to T UW
and AE N D
you Y UW
your Y AO R
is IH Z
are AA R
was W AH Z
have HH AE V
from F R AH M
what W AH T
who HH UW
hello HH AX L OW
good G UH D
morning M AO R N IH NG
evening IY V N IH NG
door D AO R
home HH OW M
water W AO T ER
weather W EH DH ER
degrees D IH G R IY Z
minus M AY N AX S
cloudy K L AW D IY
sunny S AH N IY
today T AX D EY
tomorrow T AX M AA R OW
message M EH S IH JH
call K AO L
please P L IY Z
some S AH M
said S EH D
there DH EH R
their DH EH R
they DH EY
were W ER
do D UW
does D AH Z
done D AH N
people P IY P AX L
minute M IH N AX T
minutes M IH N AX T S
hour AW ER
hours AW ER Z
new N UW
now N AW
no N OW
i AY`;
const lexicon = new Map(
  LEXICON.split('\n').map((line): [string, string[]] => {
    const [word = '', ...sounds] = line.split(' ');
    return [word, sounds];
  }),
);

/** Spellings and their sounds, a line each: the first that fits at a place is taken. Groups look before and behind. */
const RULES = `tion SH AX N
sion ZH AX N
ture(?=s?$) CH ER
ight AY T
ough(?=t) AO
ough$ OW
augh AO
eigh EY
igh AY
tch CH
ch CH
sh SH
th(?=er|is|at|e$|en|ese|ose) DH
th TH
ph F
wh W
wr R
kn(?=.) N
ck K
qu K W
ng(?=$|s$|th) NG
n(?=[kg]) NG
dge JH
gh G
gn$ N
ee IY
ea(?=d$|th|lth) EH
ea IY
oo(?=k|d$) UH
oo UW
ou(?=r$) AO
ou AW
ow$ OW
ow AW
o[iy] OY
oa OW
a[iy] EY
a[uw] AO
ew Y UW
ei IY
ey$ IY
ey EY
ie$ AY
ie IY
u[ei]$ UW
ui UW
ar(?=[^aeiouy]|$) AA R
or(?=[^aeiouy]|$) AO R
[eiu]r(?=[^aeiouy]|$) ER
are$ EH R
ore$ AO R
all AO L
a(?=[^aeiouwxy]e[sd]?$) EY
e(?=[^aeiouwxy]e$) IY
i(?=[^aeiouwxy]e[sd]?$) AY
o(?=[^aeiouwxy]e[sd]?$) OW
u(?=[^aeiouwxy]e[sd]?$) UW
le$ AX L
(?<=[td])ed$ AX D
(?<=[pkfs])ed$ T
ed$ D
(?<=..)es$ Z
(?<=..)e$
e$ IY
(?<=^[^aeiou]{1,2})y$ AY
y$ IY
^y Y
y IH
c(?=[eiy]) S
c K
g(?=[ey]) JH
g G
j JH
x K S
(?<=[aeiounrlmdgb])s$ Z
s S
a$ AX
a AE
e EH
i IH
o$ OW
o AA
u AH
b B
d D
f F
h HH
k K
l L
m M
n N
p P
q K
r R
t T
v V
w W
z Z`;
const rules = RULES.split('\n').map((line) => {
  const [spelling = '', ...sounds] = line.split(' ');
  return { at: new RegExp(spelling, 'y'), sounds };
});

/** Sounds of one word of small letters. */
export function wordSounds(word: string): string[] {
  const known = lexicon.get(word);
  if (known !== undefined) return [...known];
  // A doubled consonant is one sound.
  const spelt = word.replace(/([bcdfgklmnprstvz])\1/g, '$1');
  const sounds: string[] = [];
  for (let at = 0; at < spelt.length; ) {
    const fitting = rules.find((rule) => {
      rule.at.lastIndex = at;
      return rule.at.test(spelt);
    });
    sounds.push(...(fitting?.sounds ?? []));
    at = Math.max(at + 1, fitting?.at.lastIndex ?? 0);
  }
  return sounds;
}

/** Sounds of a text; pauses stand between words, longer ones at stops. */
export function textSounds(text: string): string[] {
  const sounds: string[] = [];
  const tokens =
    text
      .toLowerCase()
      .normalize('NFKD')
      .match(/[a-z]+(?:'[a-z]+)?|\d+|[.,;:!?]|-(?=\d)/g) ?? [];
  for (const token of tokens) {
    if (/^[.,;:!?]$/.test(token)) {
      if (sounds.length > 0) sounds.push('_', '_', '_');
      continue;
    }
    const words = /^\d/.test(token) ? numberWords(token) : [token === '-' ? 'minus' : token.replace("'", '')];
    for (const word of words) sounds.push(...wordSounds(word), '_');
  }
  return sounds;
}
