// Below the graph: the fault with its evidence and next actions, and the log of the selected stage.

const CONTROL = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007]*\u0007|[\u0000-\u0008\u000b-\u001f\u007f]/g;
const LINE_LIMIT = 5000;

async function copy(text, button, shown) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  } catch {
    getSelection().selectAllChildren(shown); // the client denies access to the clipboard; the selection leaves one keystroke to do
  }
}

function drawFault(fault, say) {
  const drawn = JSON.stringify(fault ?? null);
  if ($("fault").dataset.drawn === drawn) return;
  $("fault").dataset.drawn = drawn;
  $("fault").hidden = !fault;
  $("below").classList.toggle("with-fault", Boolean(fault));
  if (!fault) return;
  const facts = [
    fault.stage && `in ${fault.stage}`,
    fault.attempts > 1 && `${fault.attempts} attempts`,
    fault.rolled_back?.length && `rolled back: ${fault.rolled_back.join(", ")}`,
    fault.retryable && "the same call may succeed later",
  ].filter(Boolean);
  const parts = [
    make("h2", { id: "fault-title" }, make("span", { class: "code" }, fault.code), fault.message),
    make("p", { class: "facts" }, facts.join(" · ")),
  ];
  if (fault.hint) parts.push(make("p", { class: "hint" }, fault.hint));
  if (fault.next_actions?.length) {
    const actions = fault.next_actions.map((action) => drawAction(action, say));
    parts.push(make("h3", {}, "Next actions"), make("ol", { class: "next" }, ...actions));
  }
  if (fault.evidence?.length) parts.push(make("h3", {}, "Evidence"), ...fault.evidence.map(drawEvidence));
  $("fault").replaceChildren(...parts);
}

function drawEvidence(item) {
  const title = [item.kind.replace("_", " "), item.where].filter(Boolean).join(" · ");
  const text = make("pre", { tabindex: "0", "aria-label": title }, item.text.replace(CONTROL, ""));
  return make("figure", {}, make("figcaption", {}, title), text);
}

function drawAction(action, say) {
  const call = `${action.tool} ${JSON.stringify(action.arguments ?? {}, null, 1).replace(/\n\s*/g, " ")}`;
  const shown = make("pre", {}, call);
  const button = make("button", { type: "button", class: "quiet" }, "Copy");
  button.addEventListener("click", () => copy(call, button, shown));
  const row = make("div", { class: "row" }, button);
  if (say) {
    const ask = make("button", { type: "button", class: "quiet" }, "Ask the assistant to do it");
    ask.addEventListener("click", () => say(`Please call ${call}\n(${action.why})`));
    row.append(ask);
  }
  return make("li", {}, make("p", {}, action.why), shown, row);
}

class Log {
  constructor(onRequest) {
    this.clear(undefined);
    this.follow = true;
    this.onRequest = onRequest;
    const box = $("lines");
    box.addEventListener("scroll", () => {
      if (box.scrollTop < this.top - 4) this.setFollow(false); // scrolled up by hand
      this.top = box.scrollTop;
    });
    $("follow").addEventListener("click", () => this.setFollow(!this.follow));
    $("earlier").addEventListener("click", () => onRequest({ earlier: Math.max(1, this.first - 500) }));
  }

  setFollow(on) {
    if (this.follow === on) return;
    this.follow = on;
    $("follow").setAttribute("aria-pressed", String(on));
    if (on) this.onRequest({});
  }

  clear(stage) {
    this.stage = stage;
    this.first = 1;
    this.lines = [];
    this.top = 0;
    $("lines").replaceChildren();
    this.drawRange(0);
  }

  update({ stage, lines, first, total }) {
    if (stage !== this.stage) this.clear(stage);
    const end = this.first + this.lines.length;
    const last = first + lines.length;
    const joins = this.lines.length && first <= end && last >= this.first && total >= end - 1;
    const same = joins && this.overlaps(lines, first);
    if (!same) this.show(lines, first);
    else {
      if (first < this.first) this.prepend(lines.slice(0, this.first - first), first);
      if (last > end) this.append(lines.slice(lines.length - (last - end)), end);
    }
    this.drawRange(total);
    if (this.follow) this.toEnd();
  }

  overlaps(lines, first) { // line numbers shift when the oldest lines are dropped
    const at = Math.max(first, this.first);
    const [theirs, ours] = [lines[at - first], this.lines[at - this.first]];
    return theirs === undefined || ours === undefined || theirs === ours;
  }

  show(lines, first) {
    this.first = first;
    this.lines = [];
    $("lines").replaceChildren();
    this.append(lines, first);
  }

  append(lines, number) {
    this.lines.push(...lines);
    $("lines").append(...lines.map((line, index) => row(line, number + index)));
    if (this.follow && this.lines.length > LINE_LIMIT) this.drop(this.lines.length - LINE_LIMIT);
  }

  drop(count) {
    this.lines.splice(0, count);
    this.first += count;
    for (let left = count; left > 0; left--) $("lines").firstChild.remove();
  }

  prepend(lines, first) {
    const before = $("lines").scrollHeight;
    this.first = first;
    this.lines.unshift(...lines);
    $("lines").prepend(...lines.map((line, index) => row(line, first + index)));
    $("lines").scrollTop += $("lines").scrollHeight - before;
    this.top = $("lines").scrollTop;
  }

  toEnd() {
    $("lines").scrollTop = $("lines").scrollHeight;
    this.top = $("lines").scrollTop;
  }

  drawRange(total) {
    const any = this.lines.length > 0;
    $("lines").hidden = !any;
    $("no-lines").hidden = any;
    $("earlier").hidden = !any || this.first <= 1;
    const end = this.first + this.lines.length - 1;
    $("range").textContent = any ? `lines ${this.first}–${end} of ${Math.max(total, end)}` : "";
  }
}

function row(line, number) {
  return make("div", { "data-n": number }, make("span", {}, line.replace(CONTROL, "")));
}
