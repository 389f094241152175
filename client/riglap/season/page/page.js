// Marks one driver in every table and chart; without it the page is whole, but for that.
const choice = document.getElementById("driver");
const mark = () => {
  for (const one of document.querySelectorAll("[data-driver]")) {
    one.classList.toggle("picked", choice.value !== "" && one.dataset.driver === choice.value);
  }
  for (const line of document.querySelectorAll("path.line.picked")) line.parentNode.append(line);
};
choice.addEventListener("change", mark);
mark();
