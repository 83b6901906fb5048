// What any page may have: a list of claims to search, and buttons that copy the page's address with its state.
import { sift } from "./search.js";

const form = document.getElementById("find");
if (form) sift(form);

for (const button of document.querySelectorAll("button[data-copied]")) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = button.dataset.copied;
    } catch {
      prompt(label, location.href);  // where a browser gives a page of a file no clipboard
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}
