// The code of an invitation stands behind # in its link. It goes into the form, and out of the address and its history.
const form = document.getElementById("invited");
const code = location.hash.slice(1);
if (form && code) {
  history.replaceState(null, "", location.pathname);
  if (!document.querySelector(".notice-refusal")) {
    form.elements.code.value = decodeURIComponent(code);
    form.requestSubmit();
  }
}
