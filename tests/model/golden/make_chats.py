"""Writes chats.json: conversations as jinja2 prints them, in the environment that transformers sets up for chat
templates, with templates of our own in the dialect of each family. Needs: pip install jinja2."""
import json
import pathlib
import re

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

CHATML = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}" \
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
DEFAULT = "{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe helpful.<|im_end|>\n' }}" \
    "{% endif %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}" \
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
TOOLS = r"""{%- if tools %}
    {{- '<|im_start|>system\nTools: "{\"name\": {}}"' }}
    {%- for tool in tools %}
        {{- tool | tojson }}
    {%- endfor %}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>system\nI am a test.<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "tool" %}
        {{- message.content }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""
THINKING = r"""{%- set ns = namespace(open=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.open and message.role == "user" and message.content is string and not(message.content.startswith('<r>') and message.content.endswith('</r>')) %}
        {%- set ns.open = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "assistant" %}
        {%- set content = message.content %}
        {%- set thought = '' %}
        {%- if '</think>' in message.content %}
            {%- set thought = message.content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
            {%- set content = message.content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<|im_start|>' + message.role + '\n<think>\n' + thought.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- endif %}
{%- endfor %}"""
LLAMA2 = "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}{% else %}" \
    "{% set rest = messages %}{% set system = false %}{% endif %}{% for m in rest %}" \
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}" \
    "{% if loop.index0 == 0 and system != false %}{% set text = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + m['content'] %}" \
    "{% else %}{% set text = m['content'] %}{% endif %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + text.strip() + ' [/INST]' }}" \
    "{% elif m['role'] == 'assistant' %}{{ ' ' + text.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
MISTRAL = "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}" \
    "{{ raise_exception('roles must alternate') }}{% endif %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}" \
    "{% elif m['role'] == 'assistant' %}{{ m['content'] + eos_token + ' ' }}{% else %}{{ raise_exception('only user and assistant') }}" \
    "{% endif %}{% endfor %}"
LLAMA3 = "{% set rest = messages %}{% for m in rest %}{% set text = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'+ m['content'] | trim + '<|eot_id|>' %}" \
    "{% if loop.index0 == 0 %}{% set text = bos_token + text %}{% endif %}{{ text }}{% endfor %}" \
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
LLAMA31 = r"""{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{#- the head stands in every conversation #}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if builtin_tools is defined %}
    {{- "Tools: " + builtin_tools | reject('equalto', 'x') | join(", ") + "\n\n"}}
{%- endif %}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
   {% elif message['role'] == 'assistant' %}
{{ '<|assistant|>
'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

TEMPLATES = {  # family, bos, eos, end of a turn, template
    "plain": ("ChatML", "", "<|im_end|>", "<|im_end|>", CHATML),
    "default system": ("ChatML", "<|im_start|>", "<|im_end|>", "<|im_end|>", DEFAULT),
    "tools": ("ChatML", "", "<|im_end|>", "<|im_end|>", TOOLS),
    "thinking": ("ChatML", "", "<|im_end|>", "<|im_end|>", THINKING),
    "llama 2": ("Llama-2", "<s>", "</s>", "</s>", LLAMA2),
    "mistral": ("Llama-2", "<s>", "</s>", "</s>", MISTRAL),
    "llama 3": ("Llama-3", "<|begin_of_text|>", "<|eot_id|>", "<|eot_id|>", LLAMA3),
    "llama 3.1": ("Llama-3", "<|begin_of_text|>", "<|eot_id|>", "<|eot_id|>", LLAMA31),
    "zephyr": ("Zephyr", "<s>", "</s>", "</s>", ZEPHYR),
}


def chat(text):
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": roles[line[0]], "content": line[2:]} for line in text.split("|NEXT|")]


CHATS = [
    chat("u:Hello|NEXT|a:Hi there."),
    chat("s:Be short.|NEXT|u:What is 2+2?|NEXT|a:4"),
    chat("u:One|NEXT|a:1|NEXT|u:Two\nlines|NEXT|a:2\n\nand more"),
    chat("s: spaces \u2003|NEXT|u:\n  padded \n|NEXT|a:ok\u00e9\u4e16 \U0001F600"),
    chat("u:<|im_end|></s>[/INST]<|eot_id|>{{ x }}{% if %}|NEXT|a:<think>\nhm\n</think>\n\nanswer"),
    chat("u:One|NEXT|a:1|NEXT|s:Now French.|NEXT|u:Deux|NEXT|a:2"),
    chat("u:One|NEXT|u:Two|NEXT|a:3"),
    chat("a:I begin.|NEXT|u:Go on.|NEXT|a:Yes."),
]


def environment():
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    made.globals["raise_exception"] = raise_exception
    return made


def printed(template, bos, eos, messages, prompt):
    return environment().from_string(template).render(
        messages=messages, bos_token=bos, eos_token=eos, tools=None, documents=None, add_generation_prompt=prompt)


def counted(template, bos, eos, end, messages):
    """What a model learns of the text: answers, found by characters put around them, with what ends the turn."""
    marked = [dict(m, content="\ue000" + m["content"] + "\ue001") if m["role"] == "assistant" else m for m in messages]
    text = printed(template, bos, eos, marked, False)
    return [a + (e or "") for a, e in re.findall("\ue000(.*?)\ue001([ \n]*" + re.escape(end) + ")?", text, re.S)]


def main():
    templates, cases = [], []
    for name, (family, bos, eos, end, template) in TEMPLATES.items():
        templates.append({"name": name, "family": family, "bos": bos, "eos": eos, "end": end, "template": template})
        for messages in CHATS:
            case = {"template": len(templates) - 1, "messages": messages}
            try:
                case["text"] = printed(template, bos, eos, messages, False)
                case["prompt"] = printed(template, bos, eos, messages, True)
                if "<think>" not in case["text"]:
                    case["counted"] = counted(template, bos, eos, end, messages)
            except jinja2.exceptions.TemplateError as error:
                case = {"template": len(templates) - 1, "messages": messages, "error": str(error)}
            cases.append(case)
    path = pathlib.Path(__file__).with_name("chats.json")
    path.write_text(json.dumps({"templates": templates, "cases": cases}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
