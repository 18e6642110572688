"""Templates of one construct each, for make_goldens.py.  All see VARIABLES."""

VARIABLES = {
    "s": "Hello, World", "u": "naïve Ünïcødé 日本 👩‍🚀", "q": "it's \"quoted\" \\ and\nnew\tline", "e": "",
    "sp": "  padded \n", "n": 7, "neg": -7, "f": 2.5, "t": True, "no": False, "none_": None, "zero": 0,
    "xs": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "nested": [[1, "a"], [2, "b"]],
    "d": {"b": 1, "a": {"x": [1, 2.0, None, True]}, "items": "shadow", "C": "z"},
    "empty": {}, "html": "<a href='x'>&\"é</a>",
    "users": [{"name": "Ann", "age": 30, "tags": ["x"]}, {"name": "bob", "age": 25, "tags": []},
              {"name": "Cid", "tags": ["y", "z"]}],
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"},
                 {"role": "assistant", "content": "A"}],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True,
}

EXPRESSIONS = r"""
1 + 2 * 3 - 4 | 7 // 2 | -7 // 2 | 7 % 3 | -7 % 3 | 7 % -3 | 2 ** 10 | -2 ** 2 | 2 ** -1 | 7 / 2 | 6 / 3 | 1.5 + 1 | 1e3 | 1_000
0.1 + 0.2 | 1e16 | 1e15 | 1e-5 | 0.0001 | 123456789.123 | 1e22 | -0.0 | 2.5 // 1 | -2.5 % 2 | 1 / 3 | 5e-324 | 1.7976931348623157e308
True + 1 | true and 'x' | 0 or 'y' | none or false | not 1 | not not '' | 1 == 1.0 | 1 == true | '1' == 1 | none == none | 'a' < 'b' | 1 < 2 < 3 | 1 < 3 < 2
[1, 2] < [1, 3] | (1, 2) == (1, 2) | [1] == (1,) | 'ell' in s | 'x' not in s | 3 in xs | 'b' in d | 'z' in d | 'a' in undefined_ | undefined_ in xs
s ~ 1 ~ none_ ~ 2.0 ~ xs | 'a' 'b' "c" | 'x' * 3 | 3 * 'ab' | [0] * 2 | [1] + [2] | (1,) + (2,) | 'a' + 'b' | 1 + 2 ~ 3 | 2 * 3 ~ 'x'
xs[0] | xs[-1] | xs[5] | xs[-9] | s[0] | s[-1] | u[2] | u[-1] | s[99] | xs[1:] | xs[:-1] | xs[::-1] | xs[::2] | s[1:4] | s[::-1] | u[::-1] | s[-5:] | s[5:2] | xs[10:] | xs[-10:2] | u[1:8:2] | (1,2,3)[1:] | s[:0] | xs[2:0:-1]
d.b | d['b'] | d.a.x | d['a']['x'][1] | d.missing | d['missing'] | d.items | d['items'] | none_.x | n.x | n[0] | none_['a'] | xs.foo | xs['a'] | d[0] | d[none_] | s.foo | d.a.x.0
xs | words | d | nested | (1, 'a') | (1,) | () | [] | {} | {'a': 1, 2: none, 'c': [true]} | [q] | [html] | [u] | ['\x00\x7f\xa0\u200b'] | [0.1, 1e100, -1.0] | {'k': "it's"} | 'a', 'b'
'yes' if t else 'no' | 'yes' if no else 'no' | 'yes' if no | ('a' if no else 'b' if t else 'c') | n if n > 5 else -n
undefined_ | undefined_ is defined | s is defined | undefined_ is undefined | undefined_ == undefined2_ | undefined_ ~ 'x' | not undefined_ | undefined_ or 'dflt' | undefined_.x is defined | d.q is defined | d.q.r is defined
s is string | n is number | n is integer | t is integer | f is float | t is boolean | t is true | no is false | 1 is true | none_ is none | d is mapping | xs is iterable | s is iterable | n is iterable | xs is sequence | d is sequence | s is sequence | undefined_ is iterable | undefined_ is sequence | undefined_ is mapping
n is odd | n is even | n is divisibleby 7 | n is divisibleby(3) | n is eq 7 | n is equalto(7) | n is ne 7 | n is lt 8 | n is gt 8 | n is ge(7) | n is le 7 | 3 is in xs | 'q' is in 'abc' | s is not string | none_ is not none | n is sameas 7 | s is upper | 'ABC' is upper | 'abc' is lower | range is callable | s is callable | n is not odd | 4 is not divisibleby 2
s is string and n is number | s is defined and s | not s is string | (n is odd) | n is odd or undefined_.x
s|upper | s|lower | 'hELLO wORLD'|capitalize | 'hello-world (foo) [bar] it\'s'|title | u|upper | u|title | sp|trim | 'xxaxx'|trim('x') | s|length | u|length | xs|length | d|length | undefined_|length | s|list | d|list | s|replace('l', 'L') | s|replace('l', 'L', 1) | 'aaa'|replace('', '-') | s|first | s|last | xs|first | xs|last | []|first | e|last | s|reverse | xs|reverse|list
xs|join | xs|join(', ') | words|join(d=' & ') | users|join(', ', attribute='name') | s|join('.') | xs|sort | xs|sort(reverse=true) | words|sort | words|sort(case_sensitive=true) | users|sort(attribute='name')|map(attribute='name')|list | words|unique|list | words|unique(case_sensitive=true)|list | xs|sum | users|sum(attribute='age', start=1) | xs|min | xs|max | words|min | words|max | []|max | d|dictsort | {'b':2,'A':3}|dictsort(by='value') | {'b':2,'A':3}|dictsort(true) | d|items|list | undefined_|items|list | d.a|items|list
xs|map('string')|list | words|map('upper')|join(',') | users|map(attribute='name')|join(',') | users|map(attribute='age', default='?')|list | users|map(attribute='tags.0')|list | words|map('replace', 'p', 'P')|list | xs|select('odd')|list | xs|reject('odd')|list | xs|select('gt', 1)|list | [0, 1, '', 'a']|select|list | [0, 1, '', 'a']|reject|list | users|selectattr('age')|map(attribute='name')|list | users|selectattr('age', 'defined')|list|length | users|rejectattr('name', 'equalto', 'Ann')|map(attribute='name')|list | users|selectattr('age', 'gt', 26)|list|length | users|selectattr('tags', '==', [])|list|length | messages|rejectattr('role', 'in', ['system', 'tool'])|list|length | messages|selectattr('role', 'equalto', 'user')|first
s|default('x') | undefined_|default('x') | undefined_|default | e|default('x') | e|default('x', true) | none_|default('x') | none_|d('x', boolean=true) | '42'|int | '42.7'|int | 'abc'|int | 'abc'|int(-1) | ' 7 '|int | 3.9|int | -3.9|int | none_|int(5) | t|int | '2.5'|float | 'x'|float | 'x'|float(1.5) | 3|float | '1e3'|float | -3|abs | -2.5|abs | 2.5|round | 3.5|round | 2.567|round(2) | 2.1|round(method='ceil') | 2.19|round(1, 'floor') | 7|round | n|string | none_|string | f|string | xs|string | undefined_|string | html|e | html|safe | html|escape | 'a b  c'|wordcount
'a\nb\n\nc'|indent | 'a\nb\n\nc'|indent(2) | 'a\nb\n\nc'|indent(2, true) | 'a\nb\n\nc'|indent(2, blank=true) | 'a\nb'|indent('> ') | 'a\n'|indent | ''|indent(first=true) | 'a\n\n'|indent(blank=true)
d|tojson | xs|tojson | s|tojson | q|tojson | html|tojson | u|tojson | u|tojson(ensure_ascii=true) | none_|tojson | t|tojson | f|tojson | 1.0|tojson | 1e20|tojson | d|tojson(indent=2) | d|tojson(indent=0) | d|tojson(indent='--') | d|tojson(sort_keys=true) | d|tojson(separators=(',', ':')) | {}|tojson(indent=4) | []|tojson(indent=4) | {1: 2, none: 3, true: 4, 1.5: 5}|tojson | (1, 2)|tojson | '\x01\x7f\u2028'|tojson | '\x7f\u2028😀'|tojson(ensure_ascii=true) | nested|tojson(indent=1) | undefined_|tojson | d|tojson(true) | users|map(attribute='name')|list|tojson
'a,b,,c'.split(',') | 'a,b,,c'.split(',', 1) | '  a  b c '.split() | '  a  b c '.split(none, 1) | 'a,b,c'.rsplit(',', 1) | 'abab'.rsplit('b') | 'aXXb'.split('XX')[-1] | 'abc'.split('') | sp.strip() | sp.lstrip() | sp.rstrip() | 'xyabcyx'.strip('xy') | 'xyabcyx'.lstrip('xy') | 'xyabcyx'.rstrip('xy') | '\n\nx\n'.strip('\n') | s.startswith('He') | s.endswith('ld') | s.startswith(('x', 'H')) | s.endswith(('x',)) | s.upper() | s.lower() | u.upper() | 'straße'.upper() | s.title() | "they're bill's".title() | 'hELLO'.capitalize() | s.replace('o', '0') | s.replace('o', '0', 1) | s.find('o') | s.find('zz') | u.find('日') | s.count('l') | s.count('') | ', '.join(words) | ''.join([]) | ', '.join(xs) | 'a\nb\r\nc\n'.splitlines() | 'a\nb\n'.splitlines(true) | 'abc'.removeprefix('a') | 'abc'.removesuffix('c') | 'abc'.removesuffix('x') | '12'.isdigit() | ''.isdigit() | ' \n'.isspace() | 'AB1'.isupper() | 'ab1'.islower() | '1'.islower()
d.get('b') | d.get('zz') | d.get('zz', 5) | d.keys()|list | d.a.values()|list | d.a.items()|list | d.a.copy() | xs.index(2) | xs.index(9) | xs.count(1) | (1, 2, 1).count(1) | d.keys()|length | 'b' in d.keys()
xs.append(1) | d.update({}) | d.pop('b') | xs.pop() | s.format(1) | '%s' % 1 | s.nosuch() | undefined_() | none_() | n() | undefined_.x | undefined_['x'] | undefined_[1:] | undefined_ + 1 | -undefined_ | 1 + 'a' | 'a' + 1 | [] + () | 1 / 0 | 1 // 0 | 1 % 0 | 1.0 / 0 | 1 < 'a' | none_ < 1 | [1] < ['a'] | undefined_ < 1 | none_|length | n|length | n|join | none_|list | {[]: 1} | {'a': 1}[[]] | 'a' in 5 | 1 in 'a' | xs|sort(foo=1) | xs|selectattr | n.__class__ | xs[::0] | xs['a':] | range(0, 5, 0)|list | d|items|length | (xs|map('string'))[0] | xs|map('nofilter')|list | -s | +s
range(3)|list | range(1, 4)|list | range(5, 0, -2)|list | range(0)|list | range(200000)|list | dict(a=1, b='x') | dict({'a': 1}, b=2) | namespace(a=1).a | namespace(a=1).b | namespace(a=1).b is defined | strftime_now('%d %b %Y') | strftime_now('%Y-%m-%d %H:%M:%S %A %B %j %%') | raise_exception('boom ' ~ n) | xs|map('string')|join | xs|select('odd') is iterable | (xs|select('odd') | list)[0] | ('a', 'b')|join
messages[0].role | messages[0]['role'] | messages[-1].content | (messages|last).role | messages[1:]|length | messages[messages|length - 1]['role'] | (messages|first)['role'] == 'system' | messages|map(attribute='role')|join(' ') | messages[0].get('tool_calls') | messages[0].tool_calls is defined | messages[0].tool_calls | 'tool_calls' in messages[0]
"\n" | '\t' | "\u00e9\x41\101" | '\d' | "a\"b" | 'a\'b' | 'a\\b' | "日本" | 'a\
b' | '{{ x }}' | '%}' | "{# #}"
((((1)))) | [[[1]]] | {'a': {'b': {'c': 1}}}.a.b.c | [1, 2,] | {'a': 1,} | (1, 2,) | {} is mapping | [] is sequence | [x for x in xs] | 1 if | 1 + | (1 | [1 | {1} | 1 2 | a b | 'abc | | xs[ | xs[1 | .5 | 1. | f.x. | s|nofilter | s is notest | s is | not | in | 'x' is string is string | foo(a=1, 2) | foo(*xs) | foo(**d) | xs[1, 2] | 9223372036854775807 | 9223372036854775807 + 1 | 99999999999999999999 | 0x10 | @ | $ | a ? b | ; | s|upper|lower|title | s|upper ~ e | -n|abs | -f|string | 2 + n|string | (2 + n)|string | s | upper | trim
""".strip("\n")

STATEMENTS = [
    "", "plain", "plain\n", "plain\n\n", "\n", "\r\na\r\n", "{", "{{ '{' }}", "{ {", "}}", "%}", "a{#c#}b", "a{# c\n#}\nb",
    "{# a #}\n{# b #}\nx", "{#- a -#}\n\nx", "x\n\n{#- a #}\ny", "{# unclosed", "{#+ a +#}\nb", "  {# a #}\nb",
    "{% if t %}a{% endif %}", "{% if no %}a{% elif t %}b{% else %}c{% endif %}", "{% if no %}a{% elif no %}b{% else %}c{% endif %}",
    "a\n{% if t %}\nb\n{% endif %}\nc", "a\n  {% if t %}\n  b\n  {% endif %}\nc", "a\n  {%- if t %}\n  b\n  {%- endif %}\nc",
    "a\n  {%- if t -%}\n  b\n  {%- endif -%}\n  c", "  {%+ if t %}x{% endif +%}\ny", "  {%+ if t +%}\nx\n{%+ endif %}\n",
    "\t{% if t %}x{% endif %}  \n y", "a {% if t %} b {% endif %} c", "a\n\n  {{ n }}\n  b", "a\n  {{- n -}}  \n b", "  {{ n }}",
    "a{{- n }}", "\u00a0{% if t %}x{% endif %}", "a\u00a0{%- if t %}x{% endif %}", "x{{ n }}\n{% if t %}\ny{% endif %}",
    "{% if t %}{% if no %}1{% else %}2{% endif %}3{% endif %}",
    "{% for x in xs %}{{ x }},{% endfor %}", "{% for x in [] %}a{% else %}none{% endfor %}", "{% for x in xs if x > 1 %}{{ loop.index }}:{{ x }} {% else %}e{% endfor %}",
    "{% for x in xs if x > 9 %}{{ x }}{% else %}e{% endfor %}",
    "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}|{% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {{ loop.previtem is defined }} {% endfor %}",
    "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d|items %}{{ k }};{% endfor %}", "{% for k in d %}{{ k }} {% endfor %}", "{% for c in u %}{{ c }}|{% endfor %}", "{% for a, b in nested %}{{ b }}{{ a }}{% endfor %}",
    "{% for (a, b) in nested %}{{ a }}{% endfor %}", "{% for a, b in xs %}x{% endfor %}", "{% for a, b, c in nested %}x{% endfor %}", "{% for x in none_ %}x{% endfor %}", "{% for x in n %}x{% endfor %}",
    "{% for x in undefined_ %}x{% else %}e{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ loop.index }};{% endfor %}",
    "{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %}{{ x }}{% endfor %}", "{% break %}", "{% if t %}{% continue %}{% endif %}",
    "{% for x in xs recursive %}{{ x }}{% endfor %}", "{{ loop is defined }}", "{% for x in xs %}{% endfor %}{{ x }}", "{% for x in xs %}{{ loop }}{% break %}{% endfor %}"[:0] or "x",
    "{% set x = 1 %}{{ x }}", "{% set x, y = 1, 2 %}{{ x }}{{ y }}", "{% set x = 1, 2 %}{{ x }}", "{% set (x, y) = (1, 2) %}{{ y }}", "{% set x, y = 1 %}", "{% set x = 1 %}{% set x = x + 1 %}{{ x }}",
    "{% set x = 0 %}{% for i in xs %}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "{% set x = 0 %}{% for i in xs %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}",
    "{% set ns = namespace(x=0) %}{% for i in xs %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}", "{% set d.x = 1 %}", "{% set q.x = 1 %}",
    "{% set ns = namespace() %}{% set ns.x = 1 %}{{ ns.x }}{{ ns.y is defined }}", "{% set ns = namespace(a=1, b=2) %}{% set ns.a, ns.b = 3, 4 %}{{ ns.a }}{{ ns.b }}", "{% if t %}{% set z = 5 %}{% endif %}{{ z }}",
    "{% set x %}a{{ n }}b{% endset %}{{ x }}|{{ x|length }}", "{% set x | upper | trim %} abc {% endset %}[{{ x }}]", "{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y is defined }}",
    "{% set true = 1 %}", "{% set none = 1 %}", "{% set x %}", "{% set %}", "{% set x = %}", "{% set x.y.z = 1 %}", "{% set _x = 1 %}{{ _x }}", "{% set x = {'a': {}} %}{{ x }}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=5, a=4) }} {{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}",
    "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(7) }}", "{% set g = 1 %}{% macro m() %}{{ g }}{% endmacro %}{% set g = 2 %}{{ m() }}", "{% macro m() %}{{ x }}{% endmacro %}{% for x in xs %}{{ m() }}{% endfor %}.",
    "{% macro f(i) %}{{ i }}{% if i > 0 %}{{ f(i - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% macro m() %}{% set x = 1 %}{{ x }}{% endmacro %}{{ m() }}{{ x is defined }}", "{% macro m() -%}\n  a\n  {%- endmacro %}[{{ m() }}]{{ m()|upper }}",
    "{% macro m(x) %}{% for i in x %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}{% endmacro %}{{ m(xs) ~ '!' }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m %}{% endmacro %}", "{{ m }}{% macro m() %}{% endmacro %}",
    "{% macro a() %}A{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{% macro m(v) %}{{ v is defined }}{{ v }}{% endmacro %}{{ m() }}",
    "{% filter upper %}abc{{ s }}{% endfilter %}", "{% filter trim | replace('a', 'b') %}  aaa {% endfilter %}", "{% filter indent(2, true) %}a\nb{% endfilter %}", "{% filter nofilter %}x{% endfilter %}",
    "{% raw %}{{ x }}{% if %}{% endraw %}", "a\n  {% raw %}\n {{ x }}\n  {% endraw %}\nb", "{%- raw -%}  x  {%- endraw -%}  y", "{% raw %}x", "{% raw %}{# c #}{% endraw %}",
    "{% generation %}abc{% endgeneration %}", "x{% generation %}é{{ u }}{% endgeneration %}y{% generation %}z{% endgeneration %}", "{% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}{% endif %}\n{% endfor %}",
    "{%- generation -%}  a  {%- endgeneration -%}  b", "{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}{{ x is defined }}", "{% macro m() %}q{% generation %}a{% endgeneration %}{% endmacro %}12{{ m() }}", "{% set x %}q{% generation %}a{% endgeneration %}{% endset %}12{{ x }}",
    "{% generation %}", "{% endgeneration %}", "{% for x in xs %}{% generation %}{{ loop.index }}{% endgeneration %}{% endfor %}", "{% for x in xs %}{% generation %}{% break %}{% endgeneration %}{% endfor %}"[:0] or "y",
    "{% if t %}", "{% endif %}", "{% for x in xs %}", "{% for x %}{% endfor %}", "{% else %}", "{% foo %}", "{% if %}{% endif %}", "{% if t %}{% endfor %}", "{% 1 %}", "{%", "{{", "{{ n", "{% if t", "{{ n }", "{{ n %}", "{% if t }}",
    "{% do xs.append(1) %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{% block x %}{% endblock %}", "{% macro m() %}{% endmacro %}{% call m() %}x{% endcall %}", "{% if t %}a{% else %}b{% else %}c{% endif %}",
    "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ {'a': {'b': 1}} }}", "{{ '}}' }}", "{{ \"%}\" }}", "{% if '%}' %}x{% endif %}", "{{ (1\n+\n2) }}", "{%\nif\nt\n%}x{%endif%}", "{{n}}{{-n-}}{{n}}", "{{ n }}\n{{ n }}\n", "{{ -1 }}{{- 1 -}}", "{{ }}", "{{ () }}",
    "{% for m in messages %}{% set x = m.role %}{% if loop.first %}{% set x = 'F' %}{% endif %}{{ x }}{% endfor %}", "{% for x in xs %}{% set y = y|default(0) + x %}{{ y }} {% endfor %}",
    "{% set x = 1 %}{% for i in xs %}{% if i == 3 %}{% set x = 5 %}{% endif %}{{ x }}{% endfor %}", "{% set xs2 = xs + [4] %}{{ xs2 }}{{ xs }}", "{%- for x in xs -%}\n {{ x }}\n{%- endfor -%}\n.",
    "{% for x in xs|sort(reverse=true) %}{{ x }}{% endfor %}", "{% for i in range(2, 5) %}{{ i }}{% endfor %}", "{% for key in d if d[key] is string %}{{ key }}{% endfor %}", "{% for x in xs if loop.index > 1 %}x{% endfor %}",
    "{% set it = xs|select('odd') %}{% for x in it %}{{ x }}{% endfor %}-{% for x in it %}{{ x }}{% endfor %}", "{% if xs|select('gt', 9) %}truthy{% endif %}", "{% set l = namespace(v=[]) %}{% for x in xs %}{% set l.v = l.v + [x * 2] %}{% endfor %}{{ l.v|join(' ') }}",
]


def split_expressions(text):
    """Expressions between bars that have spaces around, lines joined where a string goes on."""
    out, depth = [], 0
    for line in text.replace("\\\nb'", "\\\x00b'").split("\n"):
        part, i, quote = "", 0, None
        while i < len(line):
            c = line[i]
            if quote:
                part += c
                if c == "\\":
                    i += 1
                    part += line[i:i + 1]
                elif c == quote:
                    quote = None
            elif c in "\"'":
                quote, part = c, part + c
            elif line[i:i + 3] == " | ":
                out.append(part)
                part, i = "", i + 2
            else:
                part += c
            i += 1
        out.append(part)
    return [p.strip(" ").replace("\x00", "\n") for p in out]


def templates():
    for expression in split_expressions(EXPRESSIONS):
        yield "{{ " + expression + " }}"
    yield from STATEMENTS
