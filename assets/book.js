// The widget script asks for version 2 of MathJax; version 3 is on the page.
document.addEventListener("DOMContentLoaded", () => {
  window.MathJax = window.MathJax || {};
  window.MathJax.Hub = window.MathJax.Hub || { Queue() {}, Config() {} };
});
