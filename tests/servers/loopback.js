// Preloaded into a node server: it listens on free ports of the loopback interface, says which stands for
// which, and ends with its standard input, so it never outlives the process that started it.
const net = require("net");

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (options, ...rest) {
  const wanted = typeof options === "object" ? options.port : options;
  const callbacks = rest.filter((argument) => typeof argument === "function");
  this.once("listening", () => console.log(`port ${wanted} is ${this.address().port}`));
  return listen.call(this, { port: 0, host: "127.0.0.1" }, ...callbacks);
};
process.stdin.on("end", () => process.exit(0)).resume();
