// The code of an invitation stands behind # in its link. It goes into the form, and out of the address and its history.
function take() {
  const form = document.getElementById("invited");
  const code = location.hash.slice(1);
  if (!form || !code) return;
  history.replaceState(null, "", location.pathname);
  if (document.querySelector(".notice-refusal")) return;
  form.elements.code.value = decodeURIComponent(code);
  form.requestSubmit();
}
addEventListener("hashchange", take);
take();
