import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import software.amazon.event.ruler.Machine;
import software.amazon.event.ruler.MachineComplexityEvaluator;

/** Answers what event-ruler says: a line of a pattern and events in, a line of its complexity and decisions out. */
public final class Answer {

    public static void main(String[] arguments) throws Exception {
        MachineComplexityEvaluator counter = new MachineComplexityEvaluator(Integer.parseInt(arguments[0]));
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            answers.println(answer(line.split(" "), counter));
        }
        answers.flush();
    }

    private static String answer(String[] texts, MachineComplexityEvaluator counter) {
        Machine machine = new Machine();
        try {
            machine.addRule("rule", decode(texts[0]));
        } catch (Exception refused) {
            return "refused";
        }
        StringBuilder decisions = new StringBuilder();
        for (int index = 1; index < texts.length; index++) {
            decisions.append(decision(machine, decode(texts[index])));
        }
        return machine.evaluateComplexity(counter) + " " + decisions;
    }

    private static char decision(Machine machine, String event) {
        try {
            return machine.rulesForJSONEvent(event).isEmpty() ? '0' : '1';
        } catch (Exception failed) {
            return 'x';
        }
    }

    private static String decode(String text) {
        return new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
    }
}
