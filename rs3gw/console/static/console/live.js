// Keeps the overview current: asks for its parts every two seconds while the page is looked at,
// slower while the node does not answer. Without this script the page is complete, only still.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const INTERVAL_MS = 2000;
  const BACKOFF = 1.7;
  const INTERVAL_MAX_MS = 30000;
  const TIMEOUT_MS = 10000;

  const status = document.getElementById("live");
  if (!status) return;
  const words = status.querySelector(".live-text");
  const freezer = status.querySelector("button");
  const announce = document.getElementById("announce");
  let isFrozen = false;
  let failures = 0;
  let answeredAt = Date.now();
  let timer = 0;
  let tone = toneOfVerdict();
  status.hidden = false;

  function toneOfVerdict() {
    const verdict = document.querySelector(".verdict");
    return verdict ? verdict.className : "";
  }

  function say(state, text) {
    status.dataset.state = state;
    if (words.textContent !== text) words.textContent = text;
  }

  // A part is replaced only when it changed; what had the focus keeps it.
  function put(name, html) {
    const host = document.querySelector(`[data-fragment="${name}"]`);
    if (!host || host.dataset.last === html) return;
    const focused = host.contains(document.activeElement) ? document.activeElement.id : "";
    host.innerHTML = html;
    host.dataset.last = html;
    if (focused) {
      const again = document.getElementById(focused);
      if (again) again.focus();
    }
  }

  function announceVerdict() {
    const now = toneOfVerdict();
    if (now !== tone) announce.textContent = document.getElementById("verdict").textContent;
    tone = now;
  }

  async function ask() {
    const answer = await fetch(status.dataset.source, {
      credentials: "same-origin",
      headers: { Accept: "application/json" },
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(String(answer.status));
    const { fragments } = await answer.json();
    if (isFrozen) return;
    for (const [name, html] of Object.entries(fragments)) put(name, html);
    announceVerdict();
  }

  async function tick() {
    clearTimeout(timer);
    if (!isFrozen && document.visibilityState === "visible") {
      try {
        await ask();
        failures = 0;
        answeredAt = Date.now();
        if (!isFrozen) say("live", status.dataset.live);
      } catch {
        failures += 1;
        const seconds = Math.round((Date.now() - answeredAt) / 1000);
        if (!isFrozen) say("lost", status.dataset.lost.replace("%s", String(seconds)));
      }
    }
    clearTimeout(timer);
    timer = setTimeout(tick, Math.min(INTERVAL_MAX_MS, INTERVAL_MS * BACKOFF ** failures));
  }

  freezer.addEventListener("click", () => {
    isFrozen = !isFrozen;
    freezer.setAttribute("aria-pressed", String(isFrozen));
    freezer.textContent = isFrozen ? freezer.dataset.resume : freezer.dataset.freeze;
    say(isFrozen ? "frozen" : "live", isFrozen ? status.dataset.frozen : status.dataset.live);
    if (!isFrozen) tick();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") tick();
  });
  timer = setTimeout(tick, INTERVAL_MS);
});
