// What a page does beyond plain HTML: times in the browser's zone, all boxes at
// once, and the page anew every few seconds. Without this file all else works.
"use strict";

for (const t of document.querySelectorAll("time[datetime]")) {
  const d = new Date(t.dateTime);
  const pad = (n) => String(n).padStart(2, "0");
  t.textContent = d.getFullYear() + "-" + pad(d.getMonth() + 1) + "-" + pad(d.getDate()) + " " + pad(d.getHours()) + ":" + pad(d.getMinutes()) + ":" + pad(d.getSeconds());
}

const zone = document.querySelector("input[name=zone]");
if (zone) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";

for (const all of document.querySelectorAll("input[data-all]")) {
  all.addEventListener("change", () => {
    for (const box of all.form.querySelectorAll("input[name=id][type=checkbox]")) box.checked = all.checked;
  });
}

// What was just done is not said again when the page is shown anew.
const here = new URL(location.href);
if (here.searchParams.has("did")) {
  here.searchParams.delete("did");
  here.searchParams.delete("n");
  history.replaceState(null, "", here);
}

const every = Number(document.body.dataset.live);
const live = document.getElementById("live");
if (every && live) {
  const key = "crmsyncd-live";
  const label = document.createElement("label");
  const box = document.createElement("input");
  const says = document.createElement("span");
  box.type = "checkbox";
  box.checked = sessionStorage.getItem(key) !== "off";
  label.append(box, " live");
  live.append(label, says);
  box.addEventListener("change", () => sessionStorage.setItem(key, box.checked ? "on" : "off"));
  // Not while somebody reads, types or chooses.
  const busy = () =>
    !box.checked || document.hidden || String(getSelection()) !== "" ||
    document.querySelector("main input[name=id]:checked") ||
    (document.activeElement && document.activeElement.matches("main input, main select, main a, main button"));
  const look = () => {
    if (busy()) return;
    // A picture tells whether the daemon answers: a page that cannot be loaded
    // would be an error of the browser, which never comes back by itself.
    const probe = new Image();
    probe.onload = () => { if (!busy()) location.reload(); };
    probe.onerror = () => {
      says.textContent = " the daemon does not answer";
      says.className = "bad";
    };
    probe.src = "/assets/icon.svg?" + Date.now();
  };
  setInterval(look, every * 1000);
}
