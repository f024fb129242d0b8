// SPDX-License-Identifier: MIT
// Jedis, writing and reading until its input ends: PORT of a node [plain].
import java.io.IOException;
import java.util.Set;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisCluster;
import redis.clients.jedis.JedisPooled;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisException;

public class Endures {
    static String round(UnifiedJedis cluster, int count) {
        String key = "key:" + count % 500;
        try {
            cluster.set(key, "" + count);
            String value = cluster.get(key);
            return value.equals("" + count) ? null : key + " is " + value + ", not " + count;
        } catch (JedisException error) {
            return error.toString();
        }
    }

    public static void main(String[] arguments) throws IOException {
        HostAndPort node = new HostAndPort("127.0.0.1", Integer.parseInt(arguments[0]));
        int count = 0;
        int failed = 0;
        String first = null;
        Thread input = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                }
            } catch (IOException error) {
                throw new AssertionError(error);
            }
        });
        try (UnifiedJedis cluster = arguments.length > 1 ? new JedisPooled(node)
                                                         : new JedisCluster(Set.of(node))) {
            cluster.set("k", "v");
            System.out.println("ready");
            input.start();
            for (; input.isAlive() || count < 1000; count++) {
                String failure = round(cluster, count);
                failed += failure == null ? 0 : 1;
                first = first == null ? failure : first;
            }
        }
        System.out.println(count + " done, " + failed + " failed: " + first);
    }
}
