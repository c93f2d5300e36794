"use strict";
// Looks again whenever the gateway says that something changed, and puts in what is different.
// Everything on the page works without it.
(() => {
  const live = document.getElementById("live");
  const note = document.getElementById("stream");
  if (!live || !live.dataset.events || !window.EventSource) return;
  let looking = false;
  let again = false;
  let every = 0;

  const end = () => {
    source.close();
    window.clearInterval(every);
  };

  const replace = (fresh) => {
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = document.getElementById(part.id);
      if (!old) continue;
      const asked = "version" in part.dataset;
      const same = asked
        ? old.dataset.version === part.dataset.version
        : old.innerHTML === part.innerHTML;
      if (same) continue;
      const typing = old.contains(document.activeElement);
      if (typing && !asked) continue; // a table that somebody scrolls through stays for now
      if (asked) old.dataset.version = part.dataset.version;
      old.replaceChildren(...part.childNodes);
      if (typing) document.getElementById("content").focus();
    }
  };

  const look = async () => {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    try {
      const answer = await fetch(live.dataset.live, { cache: "no-store", redirect: "error" });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        replace(fresh);
        note.textContent = "live";
        if (fresh.querySelector("[data-over]")) {
          note.textContent = "";
          end();
        }
      } else {
        note.textContent = "not live: load the page again";
        if (answer.status === 401) end();
      }
    } catch {
      note.textContent = "not live: the gateway does not answer; the rollback goes on";
    }
    looking = false;
    if (again) {
      again = false;
      look();
    }
  };

  const source = new EventSource(live.dataset.events);
  source.onmessage = look;
  source.addEventListener("status", look);
  source.onopen = look;
  source.onerror = () => {
    // Closed for good, and it has not ended: somebody between us does not like streams.
    if (source.readyState === EventSource.CLOSED && !every) every = window.setInterval(look, 2000);
  };
})();
