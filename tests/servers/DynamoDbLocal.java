import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.Map;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.AbstractLocalDynamoDBServerHandler;
import software.amazon.dynamodb.services.local.server.DynamoDBRequestHandler;
import software.amazon.dynamodb.services.local.shared.access.AmazonDynamoDBLocal;

/**
 * Starts AWS's DynamoDB Local on a free port of the loopback interface and says which, then obeys commands.
 *
 * <p>One line in, one line out: `rollover` closes the open shard of every stream, `age MS` makes all that was
 * written so much older. It ends with its standard input, so it never outlives the process that started it.
 */
public final class DynamoDbLocal {
  public static void main(String[] arguments) throws Exception {
    var proxy = ServerRunner.createServerFromCommandLineArgs(arguments);
    var connector = (ServerConnector) part(proxy, Server.class).getConnectors()[0];
    connector.setHost("127.0.0.1");
    connector.setPort(0);
    proxy.start();
    System.out.println("port 8000 is " + connector.getLocalPort());
    var handler = part(proxy, AbstractLocalDynamoDBServerHandler.class);
    var databases = part(part(handler, DynamoDBRequestHandler.class), Map.class);
    var commands = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = commands.readLine()) != null; ) {
      for (Object database : databases.values()) {
        obey((AmazonDynamoDBLocal) database, line.split(" "));
      }
      System.out.println("done " + databases.size());
    }
    Runtime.getRuntime().halt(0);
  }

  private static void obey(AmazonDynamoDBLocal database, String[] command) {
    switch (command[0]) {
      case "rollover" -> database.triggerShardRollovers();
      case "age" -> database.dilateEventTimes(Long.parseLong(command[1]));
      default -> throw new IllegalArgumentException(command[0]);
    }
  }

  /** The member of `owner` that has this type: the server offers no other way to its parts. */
  private static <T> T part(Object owner, Class<T> type) throws IllegalAccessException {
    for (Class<?> kind = owner.getClass(); kind != null; kind = kind.getSuperclass()) {
      for (Field field : kind.getDeclaredFields()) {
        if (!Modifier.isStatic(field.getModifiers()) && type.isAssignableFrom(field.getType())) {
          field.setAccessible(true);
          return type.cast(field.get(owner));
        }
      }
    }
    throw new IllegalStateException(owner.getClass() + " holds no " + type);
  }
}
